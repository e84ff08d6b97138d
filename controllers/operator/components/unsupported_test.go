package components

import (
	"errors"
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// A component that the control plane does not support waits for an upgrade in progress. Without one, somebody must change the Mesh.
func TestUnsupportedComponents(t *testing.T) {
	unsupported := &component.UnsupportedError{Version: "v0.5.0", Remedy: "set spec.version"}
	for name, test := range map[string]struct {
		rendering       rendering
		reason, message string
	}{
		"during an upgrade":    {rendering{err: unsupported, rollout: "version v0.6.0"}, v1alpha1.ReasonProgressing, "version v0.5.0 of the control plane does not support it, so it waits for version v0.6.0"},
		"without an upgrade":   {rendering{err: unsupported}, v1alpha1.ReasonApplyFailed, "version v0.5.0 of the control plane does not support it: set spec.version"},
		"another error":        {rendering{err: errors.New("an overlay does not fit"), rollout: "version v0.6.0"}, v1alpha1.ReasonApplyFailed, "an overlay does not fit"},
		"both errors together": {rendering{err: errors.Join(errors.New("a"), unsupported)}, v1alpha1.ReasonApplyFailed, "a\nversion v0.5.0 of the control plane does not support it: set spec.version"},
	} {
		if reason, message := test.rendering.describeError(); reason != test.reason || message != test.message {
			t.Errorf("%s: %s, %q, want %s, %q", name, reason, message, test.reason, test.message)
		}
	}
}

// The objects of a gateway that exists stay when the mesh goes back to a version without it: a load balancer would come back with another address.
func TestUnsupportedComponentKeepsItsObjects(t *testing.T) {
	b := newBench(t)
	b.mesh.Status.Components = []v1alpha1.ComponentStatus{{Name: "unsupported", Objects: []v1alpha1.ObjectReference{{APIVersion: "v1", Kind: "Service", Namespace: "osm-system", Name: "a"}}}}
	c := &rendering{Component: &server{name: "unsupported"}, err: &component.UnsupportedError{Version: "v0.5.0", Remedy: "set spec.version"}}
	status := b.reconcileComponent(t.Context(), b.Applier.For(b.mesh), b.mesh, c)
	if len(status.Objects) != 1 || status.Ready || status.Reason != v1alpha1.ReasonApplyFailed {
		t.Errorf("the status is %+v", status)
	}
}
