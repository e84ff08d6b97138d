package observe

import (
	"context"
	"errors"
	"fmt"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// StalledError is an error that a retry cannot cure: somebody must change something.
type StalledError struct {
	// Reason and Message are those of the condition Stalled.
	Reason, Message string
}

// Error is the sentence for the user.
func (s *StalledError) Error() string { return s.Message }

// IsStalledError is true when a retry cannot help.
func IsStalledError(err error) bool {
	var s *StalledError
	return errors.As(err, &s)
}

// Claimed returns why the namespace or the name of a mesh belongs to another mesh; nil when they do not. Of several Meshes that name
// one namespace the oldest has it. No mesh runs in a namespace that is part of another mesh, whose injector would change the pods
// of its control plane.
func (c *Cluster) Claimed(ctx context.Context, mesh *v1alpha1.Mesh) (*StalledError, error) {
	state := c.Desired(mesh)
	if other, alike := desired.MeshOf(mesh.Name); alike && desired.IsRevisionOf(other, desired.RevisionName(mesh.Name, state.Version)) {
		return &StalledError{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"metadata.name %s is how a revision of the mesh %s is named, so that their sidecars could not be told apart: delete this Mesh, and create it again under another name", mesh.Name, other)}, nil
	}
	var meshes v1alpha1.MeshList
	if err := c.Client.List(ctx, &meshes); err != nil {
		return nil, fmt.Errorf("the other Meshes cannot be listed: %w", err)
	}
	for i := range meshes.Items {
		other := &meshes.Items[i]
		if other.Name == mesh.Name || c.Desired(other).Namespace != state.Namespace || !isOlder(other, mesh) {
			continue
		}
		return &StalledError{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
			"the namespace %s belongs to the Mesh %s, which is older: delete one of the two, or create this one again with another spec.namespace", state.Namespace, other.Name)}, nil
	}
	namespace, err := c.Namespace(ctx, state.Namespace)
	if err != nil || namespace == nil {
		return nil, err
	}
	owner := namespace.Labels[names.MonitoredByLabel]
	if _, ignored := namespace.Labels[names.IgnoreLabel]; owner == "" || owner == mesh.Name || ignored {
		return nil, nil
	}
	return &StalledError{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
		"the namespace %s, where this mesh is to run, is part of the mesh %s, which would add its sidecars to the control plane: take it out with `kubectl label namespace %s %s-`, or create this Mesh again with another spec.namespace",
		state.Namespace, owner, state.Namespace, names.MonitoredByLabel)}, nil
}

// isOlder is true when the first of two Meshes was created before the second.
func isOlder(first, second *v1alpha1.Mesh) bool {
	if first.CreationTimestamp.Equal(&second.CreationTimestamp) {
		return first.Name < second.Name
	}
	return first.CreationTimestamp.Before(&second.CreationTimestamp)
}
