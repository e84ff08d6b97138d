package operator_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// collectGarbage runs the garbage collector of Kubernetes until the test ends.
func collectGarbage(t *testing.T) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, cluster.kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	collector := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager"),
		"--kubeconfig="+kubeconfig, "--controllers=garbage-collector-controller", "--leader-elect=false", "--secure-port=0")
	collector.Stdout, collector.Stderr = &output, &output
	if err := collector.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = collector.Wait() // the end of the context kills it
		if t.Failed() {
			t.Log(output.String())
		}
	})
}

// waitCollected waits until the garbage collector has processed the foreground deletion of an object.
func waitCollected(t *testing.T, object client.Object) {
	t.Helper()
	waitFor(t, object, func(o client.Object) error {
		if slices.Contains(o.GetFinalizers(), metav1.FinalizerDeleteDependents) {
			return fmt.Errorf("the finalizers of %s are %v", o.GetName(), o.GetFinalizers())
		}
		return nil
	})
}

// uids returns the UIDs of the objects of a mesh, without Events.
func uids(t *testing.T, mesh string) map[string]types.UID {
	t.Helper()
	all, err := ofMesh(t.Context(), mesh)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]types.UID{}
	for i := range all {
		found[describe(&all[i])] = all[i].UID
	}
	return found
}

// assertSurvived verifies that objects still exist and are not being deleted.
func assertSurvived(t *testing.T, mesh string, before map[string]types.UID, except ...string) {
	t.Helper()
	after := uids(t, mesh)
	for name, uid := range before {
		if after[name] != uid && !slices.Contains(except, name) {
			t.Errorf("%s has the UID %q, want %q", name, after[name], uid)
		}
	}
}

// Foreground deletion deletes what an object owns at once. A mesh survives it until its last sidecar is gone, and a mesh whose deletion was undone
// is the same as before.
func TestForegroundDeletionKeepsTheMeshUntilSidecarsAreGone(t *testing.T) {
	const name = "foreground"
	mesh, pod := fullMesh(t, name)
	collectGarbage(t)
	before := uids(t, name)

	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: name + "-v0-1-0"}}
	get(t, revision)
	remove(t, revision, client.PropagationPolicy(metav1.DeletePropagationForeground))
	waitRecreated(t, revision, revision.UID)
	waitReady(t, mesh)
	assertSurvived(t, name, before, "MeshRevision /"+revision.Name)
	before = uids(t, name)

	remove(t, mesh, client.PropagationPolicy(metav1.DeletePropagationForeground))
	waitCollected(t, mesh)
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	assertSurvived(t, name, before)

	// The way back of docs/help/deleted-the-mesh.md: the Mesh goes without its removal, and is created again.
	if err := cluster.client.Patch(t.Context(), mesh, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	again := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: mesh.Spec}
	create(t, again)
	waitReady(t, again)
	assertSurvived(t, name, before)

	remove(t, again, client.PropagationPolicy(metav1.DeletePropagationForeground))
	waitCondition(t, again, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	assertSurvived(t, name, before)
	remove(t, pod, client.GracePeriodSeconds(0))
	waitGone(t, again)
	for object := range uids(t, name) {
		if object != "Namespace /"+meshNamespace(name) {
			t.Errorf("%s was left behind", object)
		}
	}
}

// Orphaning has no effect: the finalizer deletes the objects of the mesh.
func TestOrphaningDeletionRemovesTheMesh(t *testing.T) {
	const name = "orphaning"
	mesh := readyMesh(t, name, nil)
	collectGarbage(t)
	remove(t, mesh, client.PropagationPolicy(metav1.DeletePropagationOrphan))
	waitGone(t, mesh)
	waitGone(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)})
	for object := range uids(t, name) {
		if object != "Namespace /"+meshNamespace(name) {
			t.Errorf("%s was left behind", object)
		}
	}
}
