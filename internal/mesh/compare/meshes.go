package compare

import (
	"reflect"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
)

// Mesh is one side of a comparison.
type Mesh struct {
	Catalog *catalog.Catalog
	// Entries are the entries of the catalog.
	Entries map[entity.Ref]catalog.Entry
}

// Subject is input to the configuration of sidecars that is equal on both sides.
type Subject struct {
	TrustDomain string
	// Root is the root certificate (PEM). Without it, only the byte counts are lower.
	Root []byte
	// Workloads maps pods to their workloads, "<kind> <namespace>/<name>".
	Workloads map[entity.Name]string
}

// Action is the kind of a change.
type Action string

// Actions.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Changes are the differences between two meshes.
type Changes struct {
	// Proxies are the reconfigured sidecars by workload.
	Proxies []Proxies `json:"proxies"`
	// Sidecars counts the reconfigured sidecars, AllSidecars all sidecars after the edit. Bytes is the total size of the updates.
	Sidecars    int `json:"sidecars"`
	AllSidecars int `json:"allSidecars"`
	Bytes       int `json:"bytes"`
	// Flows are the flows that would be newly denied or allowed.
	Flows []Flow `json:"flows"`
	// Encryptions are requests to hosts outside the mesh that sidecars would encrypt in another way.
	Encryptions []Encryption `json:"encryptions,omitempty"`
	// Protocols are ports whose clients and servers would use different protocols.
	Protocols []Protocol `json:"protocols,omitempty"`
	// Unavailable describes effects that could not be computed.
	Unavailable []string `json:"unavailable,omitempty"`
}

// Empty returns true if neither sidecars nor flows change.
func (c *Changes) Empty() bool {
	return len(c.Proxies) == 0 && len(c.Flows) == 0 && len(c.Protocols) == 0
}

// Meshes returns the differences between two meshes. touched are the changed dependencies; if there are none, nothing differs.
func Meshes(s Subject, before, after Mesh, touched []entity.Dep) (*Changes, error) {
	found := &Changes{Proxies: []Proxies{}, Flows: []Flow{}}
	if len(touched) == 0 {
		return found, nil
	}
	c := &comparison{
		before: newSide(before.Catalog, s), after: newSide(after.Catalog, s), touched: map[entity.Dep]bool{},
		results: map[transition]difference{},
	}
	for _, dep := range touched {
		c.touched[dep] = true
	}
	c.sharedDiffers = !reflect.DeepEqual(c.before.common, c.after.common)
	// Both parts only read the catalogs.
	var flows *flows
	var group sync.WaitGroup
	group.Go(func() {
		flows = newFlows(before, after)
		found.Flows = append(found.Flows, flows.compare()...)
		found.Protocols = compareProtocols(flows.before.view, flows.after.view)
	})
	proxies, all, err := c.proxies(before, after, s.Workloads)
	group.Wait()
	if err != nil {
		return nil, err
	}
	found.count(proxies, all)
	found.Encryptions, found.Unavailable = flows.encryptions, flows.unavailable()
	return found, nil
}

func (c *Changes) count(proxies []Proxies, all int) {
	c.Proxies = append(c.Proxies, proxies...)
	c.AllSidecars = all
	for _, one := range proxies {
		if one.State != Removed {
			c.Sidecars += one.Sidecars
			c.Bytes += one.Sidecars * one.Bytes
		}
	}
}

// candidates returns the identities whose sidecars an edit may affect. It only supports edits of grants. For other edits, narrow is
// false and all scopes must be compared. A scope depends on grants to and from its identity, and on the route objects in these grants.
func candidates(touched map[entity.Dep]bool, meshes ...Mesh) (found map[identity.ServiceAccount]bool, narrow bool) {
	found = map[identity.ServiceAccount]bool{}
	routes := map[entity.Ref]bool{}
	for dep := range touched {
		switch dep.Kind {
		case entity.DepTargetsTo, entity.DepTargetsFrom, entity.DepClientPolicies:
			found[identity.ServiceAccount(dep.Name)] = true
		case entity.DepHTTPRouteGroup:
			routes[entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: dep.Name}] = true
		case entity.DepTCPRoute:
			routes[entity.Ref{Kind: entity.KindTCPRoute, Name: dep.Name}] = true
		default:
			return nil, false
		}
	}
	for _, l := range meshes {
		for _, entry := range l.Entries {
			target, isTarget := entry.(*catalog.TrafficTarget)
			switch {
			case isTarget && refersTo(target, routes):
				found[target.Destination] = true
				for _, source := range target.Sources {
					found[source] = true
				}
			case len(routes) > 0 && len(routeGroups(entry)) > 0:
				return nil, false
			}
		}
	}
	return found, true
}

// routeGroups returns the HTTPRouteGroups that a policy other than a TrafficTarget names. Scopes depend on them too.
func routeGroups(entry catalog.Entry) []string {
	switch e := entry.(type) {
	case *catalog.TrafficSplit:
		return e.Matches
	case *catalog.Egress:
		return e.RouteGroups
	case *ingressbackend.Policy:
		return e.RouteGroups
	}
	return nil
}

// refersTo returns true if a TrafficTarget has a rule for one of the route objects.
func refersTo(target *catalog.TrafficTarget, routes map[entity.Ref]bool) bool {
	return slices.ContainsFunc(target.Rules, func(rule catalog.TargetRule) bool {
		return routes[entity.Ref{Kind: rule.Kind, Name: entity.Name{Namespace: target.Name.Namespace, Name: rule.Name}}]
	})
}
