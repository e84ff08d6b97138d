package components

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// serverWithKind is a server that also requires a kind of somebody else's definition.
type serverWithKind struct {
	*server
	kind component.Kind
}

func (s serverWithKind) Requires() []component.Kind { return []component.Kind{s.kind} }

// kindsWithout serves all kinds but one.
type kindsWithout struct{ missing *component.Kind }

func (k kindsWithout) Ensure(_ context.Context, kind component.Kind) (bool, error) {
	return k.missing == nil || kind.GroupVersionKind != k.missing.GroupVersionKind, nil
}

// TestVanishedKindDeletesNothingElse removes the definition of a kind that a component requires, as an upgrade of the Gateway API by its deletion
// does. The Deployment and the Service remain: a Service of the type LoadBalancer would come back with another address.
func TestVanishedKindDeletesNothingElse(t *testing.T) {
	b := newBench(t)
	class := component.V1("example.com", "Class", "classes")
	b.Components = []component.Component{serverWithKind{b.first, class}}
	b.pass()
	b.rollOut("first", true)
	b.pass()
	b.pass()

	// An operator records objects before it creates them.
	b.mesh.Status.Components[0].Objects = append(b.mesh.Status.Components[0].Objects, v1alpha1.ObjectReference{APIVersion: "example.com/v1", Kind: "Class", Name: "osm"})
	b.Kinds = kindsWithout{&class}
	requireCondition(t, b.pass(), metav1.ConditionFalse, v1alpha1.ReasonKindNotServed, "Class example.com/v1")
	b.requireRuns("first", "first:1", "a")
	if err := b.Client.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: "first"}, &corev1.Service{}); err != nil {
		t.Errorf("the Service: %v", err)
	}
	for _, object := range b.mesh.Status.Components[0].Objects {
		if object.Kind == class.Kind {
			t.Error("the inventory has an object that was deleted with its definition")
		}
	}

	b.Kinds = kindsWithout{}
	requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "all components are ready")
	b.Kinds, b.Components = kindsWithout{&class}, nil
	b.pass()
	if b.pass(); len(b.mesh.Status.Components) > 0 {
		t.Errorf("a component that is disabled meanwhile leaves %+v", b.mesh.Status.Components)
	}
}
