package teardown

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// A removal that says only what it removes does not help who waits for it.
func TestDeletionNamesWhatKeepsIt(t *testing.T) {
	var many []string
	for i := range 7 {
		many = append(many, fmt.Sprintf("Service osm-system/s%d (finalizer example.org/held)", i))
	}
	for want, held := range map[string][]string{
		"removing the control plane": nil,
		"removing the control plane: waiting for Service osm-system/s0 (finalizer example.org/held)": many[:1],
		"removing the control plane: waiting for " + strings.Join(many[:5], "; ") + "; and 2 more":   many,
	} {
		if got := describeDeletion("the control plane", held); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	mesh := &v1alpha1.Mesh{}
	mesh.Status.Components = []v1alpha1.ComponentStatus{
		{Name: "jaeger", Reason: v1alpha1.ReasonDeleting, Message: "being removed, waiting for Service osm-system/jaeger (finalizer a)"}, {Name: "services", Ready: true, Reason: "Ready"},
	}
	p := &pass{mesh: mesh}
	n, err := remainingComponents(t.Context(), p)
	if got := describeDeletion("the components", p.held); err != nil || n != 2 || !strings.Contains(got, "jaeger: being removed, waiting for Service osm-system/jaeger (finalizer a)") {
		t.Errorf("%d components remain, and the message is %q (%v)", n, got, err)
	}
}
