package operator_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gizmoMesh and brokenMesh are the only meshes for which the components of this test render anything.
const (
	gizmoMesh  = "gizmos"
	brokenMesh = "brokenpart"
)

// gizmo is a kind that no API server of these tests serves before TestComponents defines it.
var gizmo = schema.GroupVersionKind{Group: "components.example.com", Version: "v1", Kind: "Gizmo"}

// gizmoComponent is a component of a kind that appears while the operator runs. size is part of its objects; none are rendered when it is
// zero.
type gizmoComponent struct{ size atomic.Int64 }

var gizmos = &gizmoComponent{}

// Name implements component.Component.
func (*gizmoComponent) Name() string { return "gizmos" }

// Requires implements component.Component.
func (*gizmoComponent) Requires() []component.Kind {
	return []component.Kind{{GroupVersionKind: gizmo, Resource: "gizmos"}}
}

// Images implements component.Component.
func (*gizmoComponent) Images() []component.Image { return nil }

// Render implements component.Component.
func (g *gizmoComponent) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	size := g.size.Load()
	if inputs.Mesh.Name != gizmoMesh || size == 0 {
		return nil, nil
	}
	object := newGizmo()
	object.SetLabels(operand.Labels(inputs.Mesh.Name, ""))
	object.Object["spec"] = map[string]any{"size": size}
	return []*unstructured.Unstructured{object}, nil
}

// Health implements component.Component.
func (*gizmoComponent) Health(live []*unstructured.Unstructured) component.Health {
	return component.Passive{}.Health(live)
}

func newGizmo() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gizmo)
	object.SetNamespace(meshNamespace(gizmoMesh))
	object.SetName("gizmo")
	return object
}

// brokenComponent fails to render for one mesh.
type brokenComponent struct{}

// Name implements component.Component.
func (brokenComponent) Name() string { return "broken" }

// Requires implements component.Component.
func (brokenComponent) Requires() []component.Kind { return nil }

// Images implements component.Component.
func (brokenComponent) Images() []component.Image { return nil }

// Render implements component.Component.
func (brokenComponent) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if inputs.Mesh.Name == brokenMesh {
		return nil, errors.New("nothing to render")
	}
	return nil, nil
}

// Health implements component.Component.
func (brokenComponent) Health(live []*unstructured.Unstructured) component.Health {
	return component.Passive{}.Health(live)
}

// gizmoDefinition defines the kind of gizmoComponent.
func gizmoDefinition() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos." + gizmo.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: gizmo.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gizmos", Singular: "gizmo", Kind: gizmo.Kind, ListKind: "GizmoList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: gizmo.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				}},
			}},
		},
	}
}

// componentOf returns the status of a component.
func componentOf(mesh *v1alpha1.Mesh, name string) *v1alpha1.ComponentStatus {
	for i := range mesh.Status.Components {
		if mesh.Status.Components[i].Name == name {
			return &mesh.Status.Components[i]
		}
	}
	return nil
}

// awaitGizmo waits for the size of the gizmo; zero means that it does not exist.
func awaitGizmo(t *testing.T, size int64) {
	t.Helper()
	eventually(t, func() error {
		live := newGizmo()
		err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(live), live)
		if size == 0 && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
			return nil
		}
		if err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedInt64(live.Object, "spec", "size"); got != size {
			return fmt.Errorf("the gizmo has size %d, want %d", got, size)
		}
		return nil
	})
}

// touch changes a Mesh, which reconciles its components.
func touch(t *testing.T, mesh *v1alpha1.Mesh, value string) {
	t.Helper()
	change(t, mesh, func(m *v1alpha1.Mesh) { metav1.SetMetaDataLabel(&m.ObjectMeta, "example.com/touched", value) })
}

// TestComponentWithKindDefinedLater defines the kind of a component while the operator runs: its objects are created, repaired, updated,
// pruned and removed with the Mesh, without any other code for this component.
func TestComponentWithKindDefinedLater(t *testing.T) {
	t.Parallel()
	mesh := readyMesh(t, gizmoMesh, nil)
	gizmos.size.Store(3)
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if c := componentOf(m, "gizmos"); c == nil || c.Ready || c.Reason != v1alpha1.ReasonKindNotServed {
			return fmt.Errorf("the component is %+v, want reason KindNotServed", c)
		}
		return nil
	})
	condition := waitCondition(t, mesh, v1alpha1.ConditionComponentsReady, metav1.ConditionFalse, v1alpha1.ReasonKindNotServed)
	assertContains(t, condition.Message, "Gizmo")

	definition := gizmoDefinition()
	if err := cluster.client.Create(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.IgnoreNotFound(cluster.client.Delete(t.Context(), definition)) })
	awaitGizmo(t, 3)
	waitCondition(t, mesh, v1alpha1.ConditionComponentsReady, metav1.ConditionTrue, v1alpha1.ReasonComponentsReady)
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if c := componentOf(m, "gizmos"); c == nil || len(c.Objects) != 1 || c.Objects[0].Name != "gizmo" {
			return fmt.Errorf("the inventory is %+v, want the gizmo", c)
		}
		return nil
	})

	// The watch of the new kind reports drift and deletion.
	live := newGizmo()
	get(t, live)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"size": 9}}`))
	if err := cluster.client.Patch(t.Context(), live, patch); err != nil {
		t.Fatal(err)
	}
	awaitGizmo(t, 3)
	if err := cluster.client.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	awaitGizmo(t, 3)

	gizmos.size.Store(4)
	touch(t, mesh, "update")
	awaitGizmo(t, 4)
	gizmos.size.Store(0)
	touch(t, mesh, "prune")
	awaitGizmo(t, 0)
	gizmos.size.Store(5)
	touch(t, mesh, "again")
	awaitGizmo(t, 5)
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	awaitGizmo(t, 0)
}

// TestFailedComponentDoesNotBlockOthers: the mesh and its other components are ready although one component fails.
func TestFailedComponentDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	mesh := readyMesh(t, brokenMesh, nil)
	condition := waitCondition(t, mesh, v1alpha1.ConditionComponentsReady, metav1.ConditionFalse, v1alpha1.ReasonComponentFailed)
	assertContains(t, condition.Message, "broken", "nothing to render")
	for _, name := range []string{names.Controller, names.Injector, names.Validator} {
		get(t, &corev1.Service{ObjectMeta: inMeshNamespace(brokenMesh, name)})
	}
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if c := componentOf(m, "services"); c == nil || !c.Ready || len(c.Objects) != 4 {
			return fmt.Errorf("the Services are %+v, want 4 that are ready", c)
		}
		if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != metav1.ConditionTrue {
			return fmt.Errorf("Ready is %+v", c)
		}
		return nil
	})
	time.Sleep(time.Second)
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if c := componentOf(m, "broken"); c == nil || !strings.Contains(c.Message, "nothing to render") {
			return fmt.Errorf("the broken component is %+v", c)
		}
		return nil
	})
}
