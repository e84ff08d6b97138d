package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// UpstreamSetting returns the setting in force for a Service: its own, or else that of the first root, by name, of the
// TrafficSplits to it. Clients of a split know its root only, and so do authors of limits.
func UpstreamSetting(v *catalog.View, service entity.Name) *upstream.Policy {
	return catalog.Memo(v, upstreamKey{service}, func() *upstream.Policy { return findUpstreamSetting(v, service) })
}

// upstreamKey identifies the setting of a Service. Each of its routes asks for it, and the answer depends on all of them.
type upstreamKey struct{ service entity.Name }

func findUpstreamSetting(v *catalog.View, service entity.Name) *upstream.Policy {
	if setting := upstream.InForce(v, service); setting != nil {
		return setting
	}
	for _, root := range v.RootsOf(service) {
		if !splitsTo(v, root, service) {
			continue
		}
		if setting := upstream.InForce(v, root); setting != nil {
			return setting
		}
	}
	return nil
}

// splitsTo reports whether a TrafficSplit in force sends requests for root to the Service. A split that lost to an
// older one does not.
func splitsTo(v *catalog.View, root, service entity.Name) bool {
	sends := func(split *catalog.TrafficSplit) bool {
		return slices.ContainsFunc(split.Backends, func(b catalog.SplitBackend) bool { return b.Service == service })
	}
	split := v.Split(root)
	return split != nil && sends(split) || slices.ContainsFunc(v.MatchingSplits(root), sends)
}
