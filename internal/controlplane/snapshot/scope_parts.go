package snapshot

import (
	"maps"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// scopeParts has what Services with many routes add to the destinations of a scope. A change of one route then costs the routes of its Service, and
// not those of all Services that the client may call.
type scopeParts struct {
	built map[entity.Name]*scope.Part
	// quarantined are the policies that they are built without. The map does not change.
	quarantined map[entity.Ref]struct{}
}

// without returns the parts that are built without some policies. The caller may add to them.
func (p *scopeParts) without(quarantined map[entity.Ref]struct{}) map[entity.Name]*scope.Part {
	if p.built == nil || !maps.Equal(p.quarantined, quarantined) {
		p.built, p.quarantined = map[entity.Name]*scope.Part{}, quarantined
	}
	return p.built
}

// dropParts drops the parts of scopes that depend on touched.
func dropParts(scopes map[*scopeNode]struct{}, touched []entity.Dep) {
	var changed map[entity.Dep]struct{}
	for n := range scopes {
		if len(n.parts.built) == 0 {
			continue
		}
		if changed == nil {
			changed = make(map[entity.Dep]struct{}, len(touched))
			for _, dep := range touched {
				changed[dep] = struct{}{}
			}
		}
		maps.DeleteFunc(n.parts.built, func(_ entity.Name, part *scope.Part) bool { return part.DependsOnAny(changed) })
	}
}
