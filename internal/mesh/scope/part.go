package scope

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Part is what one Service adds to the destinations of a client. It does not depend on what others add, so it is built again only after a change of Deps. It is
// immutable.
type Part struct {
	// Deps are the dependencies that the part was built from.
	Deps     []entity.Dep
	outbound []Outbound
	clusters []Cluster
	divided  map[ServicePort]Cluster
	// routes are those that count within the limits of the namespaces of their policies.
	routes map[string]int
}

// DependsOnAny reports whether the part was built from any of deps.
func (p *Part) DependsOnAny(deps map[entity.Dep]struct{}) bool {
	return slices.ContainsFunc(p.Deps, func(dep entity.Dep) bool {
		_, depends := deps[dep]
		return depends
	})
}

// SharedDestinationsFrom is SharedDestinations with the parts of an earlier call that have not changed. It adds those that it builds, and removes
// those of Services that clients may not call any more. The view does not record what parts depend on.
func SharedDestinationsFrom(v *catalog.View, parts map[entity.Name]*Part) *Destinations {
	if !permissiveAnywhere(v) {
		clear(parts)
		return nil
	}
	o := newOutboundBuilder(v, identity.ServiceAccount{})
	o.onDemand, o.parts = len(v.ServiceRanges()) > 0, parts
	d := o.destinations()
	return &d
}

// manyRoutes is how many routes a Service needs for its part in a scope to be kept. Fewer are built again in less time than the part deserves memory.
const manyRoutes = 4

// hasManyRoutes selects the parts that scopes keep.
func hasManyRoutes(v *catalog.View, service entity.Name) bool {
	return v.RouteCount(service) >= manyRoutes
}

// addParts adds the parts of Services, which are sorted by name.
func (o outboundBuilder) addParts(d *Destinations, names []entity.Name) {
	d.Outbound, d.Clusters = make([]Outbound, 0, len(names)), make([]Cluster, 0, len(names))
	kept := 0
	for _, name := range names {
		part := o.parts[name]
		if part == nil && (o.keeps == nil || o.keeps(o.view, name)) {
			if part = o.newPart(name); part != nil {
				o.parts[name] = part
			}
		}
		if part != nil {
			kept++
			if o.keeps != nil {
				o.view.DependOn(part.Deps)
			}
		}
		if part == nil || !o.limit.AdmitAllFor(o.client.Namespace, part.routes) {
			part = o.limitedPart(name)
		}
		d.Outbound, d.Clusters = append(d.Outbound, part.outbound...), append(d.Clusters, part.clusters...)
		maps.Copy(o.divided, part.divided)
	}
	d.Clusters = uniqueClusters(d.Clusters)
	if len(o.parts) > kept {
		o.dropOthers(names)
	}
}

// dropOthers removes the parts of all other Services than those with the names.
func (o outboundBuilder) dropOthers(names []entity.Name) {
	maps.DeleteFunc(o.parts, func(name entity.Name, _ *Part) bool {
		_, found := slices.BinarySearchFunc(names, name, entity.Name.Compare)
		return !found
	})
}

// newPart builds the part of a Service; nil if its routes alone are beyond the limit.
func (o outboundBuilder) newPart(name entity.Name) *Part {
	alone := newOutboundBuilder(o.view.Part(), o.client)
	alone.onDemand = o.onDemand
	part := alone.part(name)
	if len(alone.limit.Limited()) > 0 {
		return nil
	}
	part.routes, part.Deps = alone.limit.Counted(), alone.view.Deps()
	return part
}

// limitedPart builds the part of a Service with those of its routes that are within the limit.
func (o outboundBuilder) limitedPart(name entity.Name) *Part {
	o.clusters, o.divided = map[string]Cluster{}, map[ServicePort]Cluster{}
	return o.part(name)
}

func (o outboundBuilder) part(name entity.Name) *Part {
	part := &Part{}
	if service := o.view.Service(name); service != nil {
		part.outbound = o.of(service)
	}
	part.clusters, part.divided = sortedClusters(o.clusters), o.divided
	return part
}

// uniqueClusters sorts clusters, and keeps the last of those with one name.
func uniqueClusters(list []Cluster) []Cluster {
	isSorted := true
	for i := 1; i < len(list) && isSorted; i++ {
		isSorted = compareClusters(list[i-1], list[i]) < 0
	}
	if isSorted { // nearly always: only policies add clusters of other Services
		return list
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, compareClusters)
	return slices.CompactFunc(list, func(a, b Cluster) bool { return compareClusters(a, b) == 0 })
}
