package crd_test

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/admission"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// TestValidation checks every rule of the definitions and of the admission policies on a real API server, including the error texts.
func TestValidation(t *testing.T) {
	server := envtest.Start(t)
	c := newClient(t, server)
	stored := storeOldTrafficSplits(t, server, c)
	envtest.Install(t, server, envtest.Definitions(t, crd.Own, crd.SMI, crd.MCS)...)
	c = newClient(t, server)
	for _, ns := range namespaces() {
		create(t, c, ns)
	}
	open := storeOpenGateways(t, c)
	t.Run("Mesh", func(t *testing.T) { testMesh(t, c) })
	t.Run("SpecBecomesEmpty", func(t *testing.T) { testSpecBecomesEmpty(t, c) })
	t.Run("Upgrade", func(t *testing.T) { testUpgrade(t, c) })
	t.Run("MeshRevision", func(t *testing.T) { testMeshRevision(t, c) })
	t.Run("MeshPeer", func(t *testing.T) { testMeshPeer(t, c) })
	t.Run("MultiClusterServices", func(t *testing.T) { testMCS(t, c) })
	t.Run("MeshConfig", func(t *testing.T) { testMeshConfig(t, c) })
	t.Run("MeshRootCertificate", func(t *testing.T) { testMeshRootCertificate(t, c) })
	t.Run("MeshConfigV1alpha1", func(t *testing.T) { testOldMeshConfig(t, server, c) })
	t.Run("TrafficPolicies", func(t *testing.T) { testTrafficPolicies(t, c) })
	t.Run("SMI", func(t *testing.T) { testSMI(t, c) })
	t.Run("StoredTrafficSplit", func(t *testing.T) { testStoredTrafficSplits(t, c, stored) })
	t.Run("Policies", func(t *testing.T) { testPolicies(t, c) })
	t.Run("Gateways", func(t *testing.T) { testGateways(t, c) })
	t.Run("TestGatewaysOfEachNamespaceAreNamed", func(t *testing.T) { testGatewaysOfEachNamespaceAreNamed(t, c, open) })
	t.Run("Labels", func(t *testing.T) { testLabels(t, c) })
	t.Run("RemovalOrder", func(t *testing.T) { testRemovalOrder(t, c) })
	t.Run("TestNothingIsDeletedUnderSidecars", func(t *testing.T) { testNothingIsDeletedUnderSidecars(t, c) })
	t.Run("TestProtectedMesh", func(t *testing.T) { testProtectedMesh(t, c) })
	t.Run("TestMeshConfigIsKept", func(t *testing.T) { testMeshConfigIsKept(t, c) })
	t.Run("TestOnlyTheOperatorOpensAMesh", func(t *testing.T) { testOnlyTheOperatorOpensAMesh(t, server, c) })
	t.Run("TestAccountsOfTheMeshAreBounded", func(t *testing.T) { testAccountsOfTheMeshAreBounded(t, server, c) })
	t.Run("TestWebhooksOfTheOperatorAreBounded", func(t *testing.T) { testWebhooksOfTheOperatorAreBounded(t, server, c) })
	t.Run("TestSlotsHaveImagesOfTheMesh", func(t *testing.T) { testSlotsHaveImagesOfTheMesh(t, server, c) })
	t.Run("TestWorkloadsAreOnlyRestarted", func(t *testing.T) { testWorkloadsAreOnlyRestarted(t, server) })
	t.Run("TestImagesHavePermittedPrefixes", func(t *testing.T) { testImagesHavePermittedPrefixes(t, c) })
	t.Run("Install", func(t *testing.T) { testInstall(t, c) })
	t.Run("Overlay", func(t *testing.T) { testOverlay(t, c) })
}

// newClient returns a client for the installed kinds. It fails on unknown fields.
func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, "Strict")
}

// contents returns the content of every file, sorted by name.
func contents(t *testing.T, files fs.FS) [][]byte {
	t.Helper()
	var all [][]byte
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		all = append(all, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// installPolicies installs the admission policies and waits until they are enforced, which means that they reject the given objects.
func installPolicies(t *testing.T, c client.Client, rejected ...*unstructured.Unstructured) {
	t.Helper()
	for _, content := range contents(t, admission.Policies) {
		create(t, c, parse(t, string(content)))
	}
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		for _, object := range rejected {
			if c.Create(ctx, object.DeepCopy(), client.DryRunAll) == nil {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("the admission policies are not enforced: %v", err)
	}
}

// parse reads one object from YAML.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return object
}

func create(t *testing.T, c client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatalf("cannot create %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}
