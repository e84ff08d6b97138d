package crd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// awaitDeletions waits until the deletion of every object is rejected with some words in a dry run, or allowed without words. The policies observe
// Meshes with a delay.
func awaitDeletions(t *testing.T, c client.Client, words string, texts ...string) {
	t.Helper()
	var wrong string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		wrong = ""
		for _, text := range texts {
			err := c.Delete(ctx, parse(t, text), client.DryRunAll)
			if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
				wrong = fmt.Sprintf("deleting %s: %v", text, err)
			}
		}
		return wrong == "", nil
	})
	if err != nil {
		t.Errorf("the answer %q was expected: %s", words, wrong)
	}
}

// setSidecars sets the number of sidecars in the status of a Mesh.
func setSidecars(t *testing.T, c client.Client, mesh *unstructured.Unstructured, total int) {
	t.Helper()
	patch := fmt.Sprintf(`{"status":{"proxies":{"total":%d,"ready":0,"outdated":0}}}`, total)
	if err := c.Status().Patch(t.Context(), mesh, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// testNothingIsDeletedUnderSidecars deletes what running sidecars need. It requires the policies of testPolicies and the namespaces of
// testRemovalOrder.
func testNothingIsDeletedUnderSidecars(t *testing.T, c client.Client) {
	const namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: busy-system}}"
	const target = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: traffictargets.access.smi-spec.io}}"
	const operator = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: osm-operator, namespace: anywhere, labels: {app.kubernetes.io/name: openservicemesh.io}}, " +
		"spec: {selector: {matchLabels: {app: o}}, template: {metadata: {labels: {app: o}}, spec: {containers: [{name: o, image: o}]}}}}"
	const other = "{apiVersion: v1, kind: Namespace, metadata: {name: busy-shop}}"
	mesh := parse(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: busy}, spec: {namespace: busy-system}}")
	const another = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: osm-operator, namespace: busy-shop}, " +
		"spec: {selector: {matchLabels: {app: o}}, template: {metadata: {labels: {app: o}}, spec: {containers: [{name: o, image: o}]}}}}"
	for _, text := range []string{namespace, "{apiVersion: v1, kind: Namespace, metadata: {name: anywhere}}", other, operator, another} {
		create(t, c, parse(t, text))
	}
	create(t, c, mesh)
	awaitDeletions(t, c, "", namespace, target, operator, other)
	setSidecars(t, c, mesh, 3)
	awaitDeletions(t, c, "the Mesh busy has 3 sidecars that need this: delete the Mesh first", namespace, target, operator)
	awaitDeletions(t, c, "", other, another)
	allowed := parse(t, namespace)
	allow := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"operator.openservicemesh.io/allow-deletion":"true"}}}`))
	if err := c.Patch(t.Context(), allowed, allow); err != nil {
		t.Fatal(err)
	}
	awaitDeletions(t, c, "", namespace)
	setSidecars(t, c, mesh, 0)
	awaitDeletions(t, c, "", target, operator)
	for _, object := range []client.Object{mesh, parse(t, operator)} {
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// testProtectedMesh deletes a Mesh that is protected, as "kubectl delete -f FOLDER" does by accident.
func testProtectedMesh(t *testing.T, c client.Client) {
	mesh := func(name, annotations string) string {
		return "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: " + name + ", annotations: {" + annotations + "}}, spec: {namespace: " + name + "-system}}"
	}
	guarded, plain := mesh("guarded", "operator.openservicemesh.io/prevent-deletion: enabled"), mesh("plain", "operator.openservicemesh.io/prevent-deletion: disabled")
	create(t, c, parse(t, guarded))
	create(t, c, parse(t, plain))
	awaitDeletions(t, c, "the Mesh guarded is protected: to delete it, first run kubectl annotate mesh guarded operator.openservicemesh.io/prevent-deletion-", guarded)
	awaitDeletions(t, c, "", plain)
	released := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"operator.openservicemesh.io/prevent-deletion":null}}}`))
	if err := c.Patch(t.Context(), parse(t, guarded), released); err != nil {
		t.Fatal(err)
	}
	awaitDeletions(t, c, "", guarded)
	for _, text := range []string{guarded, plain} {
		if err := c.Delete(t.Context(), parse(t, text)); err != nil {
			t.Fatal(err)
		}
	}
}

// testMeshConfigIsKept deletes the MeshConfig of a mesh, whose settings users would lose.
func testMeshConfigIsKept(t *testing.T, c client.Client) {
	config := func(namespace string) string {
		return "{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: " + namespace + "}}"
	}
	for _, namespace := range []string{"kept-system", "kept-elsewhere"} {
		create(t, c, parse(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}"))
		create(t, c, parse(t, config(namespace)))
	}
	mesh := parse(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: kept, finalizers: [example.org/held]}, spec: {namespace: kept-system}}")
	create(t, c, mesh)
	awaitDeletions(t, c, "has the settings of the Mesh kept, which would fall back to defaults: edit it, or delete the Mesh", config("kept-system"))
	awaitDeletions(t, c, "", config("kept-elsewhere"))
	if err := c.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	awaitDeletions(t, c, "", config("kept-system"))
	mesh.SetFinalizers(nil)
	if err := c.Patch(t.Context(), mesh, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Fatal(err)
	}
}
