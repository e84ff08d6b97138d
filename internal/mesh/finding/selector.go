package finding

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// NewSelectorConflict returns the finding that another policy of the kind is in force for all pods that a policy selects; nothing if the winner is
// the policy itself, or if none is in force.
func NewSelectorConflict(policy catalog.Ref, winner catalog.Name) []Finding {
	if winner == (catalog.Name{}) || winner == policy.Name {
		return nil
	}
	return []Finding{NewConflict(catalog.Ref{Kind: policy.Kind, Name: winner},
		"%s %s is older and selects all pods that this one selects, so this one has no effect: merge them into one.", policy.Kind, winner)}
}
