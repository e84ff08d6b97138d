package operator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// newMesh creates a mesh in the namespace <name>-system. When the test ends, it checks the rules of conditions for every status.
func newMesh(t *testing.T, name string, edit func(*v1alpha1.MeshSpec)) *v1alpha1.Mesh {
	t.Helper()
	mesh := &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.MeshSpec{Namespace: ptr.To(meshNamespace(name))},
	}
	if edit != nil {
		edit(&mesh.Spec)
	}
	create(t, mesh)
	t.Cleanup(func() {
		var violations []string
		// The watch of the linter may be behind the reads of the test.
		eventually(t, func() error {
			var read int
			if read, violations = cluster.linter.about(name); read == 0 {
				return fmt.Errorf("no status of Mesh %s was ever written", name)
			}
			return nil
		})
		for _, problem := range violations {
			t.Errorf("a status of Mesh %s violates a rule: %s", name, problem)
		}
		forget(t, mesh)
	})
	return mesh
}

// forget deletes a mesh and its control planes at the end of a test, without the steps of a removal. Otherwise the operator would go on
// with the meshes of all tests before.
func forget(t *testing.T, mesh *v1alpha1.Mesh) {
	ctx := context.Background() // that of the test has ended
	cluster.writes.end(mesh.Name)
	var revisions v1alpha1.MeshRevisionList
	if err := cluster.client.List(ctx, &revisions); err != nil {
		t.Error(err)
	}
	gone := []client.Object{mesh}
	for i := range revisions.Items {
		if revisions.Items[i].Spec.Mesh == mesh.Name {
			gone = append(gone, &revisions.Items[i])
		}
	}
	for _, object := range gone {
		err := cluster.client.Delete(ctx, object)
		if err == nil {
			err = cluster.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
		}
		if client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	if err := cluster.client.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(ptr.Deref(mesh.Spec.Namespace, ""))); err != nil {
		t.Error(err)
	}
}

// meshNamespace returns the namespace of a mesh.
func meshNamespace(mesh string) string { return mesh + "-system" }

// readyMesh creates a mesh and waits until it is ready.
func readyMesh(t *testing.T, name string, edit func(*v1alpha1.MeshSpec)) *v1alpha1.Mesh {
	t.Helper()
	cluster.kubelet.serve(meshNamespace(name))
	mesh := newMesh(t, name, edit)
	waitReady(t, mesh)
	return mesh
}

// waitReady waits until a mesh is ready at its current generation.
func waitReady(t *testing.T, mesh *v1alpha1.Mesh) {
	t.Helper()
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// waitCondition waits for a condition, and returns it.
func waitCondition(t *testing.T, mesh *v1alpha1.Mesh, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	eventually(t, func() error {
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(mesh), mesh); err != nil {
			return err
		}
		c := meta.FindStatusCondition(mesh.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != mesh.Generation {
			return fmt.Errorf("want %s %s %s at generation %d, have %+v", kind, status, reason, mesh.Generation, mesh.Status.Conditions)
		}
		found = *c
		return nil
	})
	return found
}

// assertContains verifies that a text contains words.
func assertContains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not contain %q", text, word)
		}
	}
}

// create creates an object as a user. It is deleted with the cluster.
func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.client.Create(t.Context(), object, client.FieldOwner("user")); err != nil {
		t.Fatal(err)
	}
}

// get reads an object by its name and namespace.
func get(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
}

// change edits an object as a user does with kubectl edit.
func change[T client.Object](t *testing.T, object T, edit func(T)) {
	t.Helper()
	eventually(t, func() error {
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit(object)
		return cluster.client.Update(t.Context(), object, client.FieldOwner("kubectl-edit"))
	})
}

// waitFor waits until an object exists and check returns no error.
func waitFor[T client.Object](t *testing.T, object T, check func(T) error) {
	t.Helper()
	eventually(t, func() error {
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		return check(object)
	})
}

// exists reports whether an object exists.
func exists(ctx context.Context, object client.Object) (bool, error) {
	err := cluster.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// waitGone waits until an object does not exist.
func waitGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, func() error {
		found, err := exists(t.Context(), object)
		if err == nil && found {
			err = fmt.Errorf("%T %s still exists", object, client.ObjectKeyFromObject(object))
		}
		return err
	})
}

// meshConfig returns the MeshConfig of a mesh with its name only.
func meshConfig(mesh string) *configv1alpha2.MeshConfig {
	return &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: meshNamespace(mesh), Name: names.MeshConfig}}
}

// inMeshNamespace returns the metadata of an object in the namespace of a mesh.
func inMeshNamespace(mesh, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: meshNamespace(mesh), Name: name}
}
