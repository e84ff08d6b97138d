package finding

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// NewSelectorConflict returns the finding that another policy of the kind is in force for all pods that a policy selects; nothing if the winner is
// the policy itself, or if none is in force.
func NewSelectorConflict(policy entity.Ref, winner entity.Name) []Finding {
	if winner == (entity.Name{}) || winner == policy.Name {
		return nil
	}
	return []Finding{NewConflict(entity.Ref{Kind: policy.Kind, Name: winner},
		"%s %s is older and selects all pods that this one selects, so this one has no effect: merge them into one.", policy.Kind, winner)}
}
