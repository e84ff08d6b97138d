package snapshot

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// newOwnCluster returns a cluster for delta.Options.
func newOwnCluster(r envoy.Resource) *resource.Content {
	c, err := resource.New(r)
	if err != nil { // a constant
		panic(err)
	}
	return c
}

// withSecrets returns a function that makes the resources of build, and the secrets of a scope.
func (s *Store) withSecrets(build func(*scope.Scope) []envoy.Resource) func(*scope.Scope) []envoy.Resource {
	return func(built *scope.Scope) []envoy.Resource { return append(build(built), s.buildSecrets(built)...) }
}

func (s *Store) buildSecrets(built *scope.Scope) []envoy.Resource {
	return append(envoy.TrustSecrets(built, s.config.Certificates.Root()), envoy.OutsideSecrets(built)...)
}

// ofType returns the resources of one type that build makes, or the secrets of a scope. A trial needs one of them, and a scope may have thousands.
func (s *Store) ofType(built *scope.Scope, t resourcetype.Type, build func(*scope.Scope, string) []envoy.Resource) []envoy.Resource {
	if t == resourcetype.Secrets {
		return s.buildSecrets(built)
	}
	return build(built, t.URL())
}

// translate returns the edits of a transition of a layer.
func (s *Store) translate(l *layer, user endpointsUser, step transition) edits {
	return s.addEndpoints(s.translateContents(l, step), l, user, step)
}

// addEndpoints adds the edits of endpoints.
func (s *Store) addEndpoints(e edits, l *layer, user endpointsUser, step transition) edits {
	e.endpoints = make(map[string]*endpointsNode, len(step.after.Clusters))
	for _, c := range step.after.Clusters {
		if !c.HasEndpoints() {
			continue
		}
		node := s.endpointsFor(c)
		node.users[user] = struct{}{}
		e.endpoints[node.cluster] = node
	}
	switch {
	case !step.partial:
		removeOthers(e.endpoints, l.endpoints)
	case !step.onlyAdds():
		for _, c := range step.before.Clusters {
			if name := c.Name(); e.endpoints[name] == nil {
				e.endpoints[name] = nil
			}
		}
	}
	return e
}

// translateContents returns the edits of translate without endpoints. A resource that cannot be marshalled keeps its earlier version and does not
// affect the others.
func (s *Store) translateContents(l *layer, step transition) edits {
	return s.contentEdits(l, step, step.translate())
}

// translation are the resources of a transition.
type translation struct {
	resources []encoded
	// ports are those of port numbers.
	ports []encoded
	// removed are the resources of the earlier version that may not exist any more.
	removed []envoy.Resource
}

// encoded is a resource as it is sent, or why it cannot be.
type encoded struct {
	kind    resourcetype.Type
	name    string
	content *resource.Content
	err     error
}

// translate makes the resources, which takes nearly all of the time of a change. It uses nothing that the Store changes.
func (t *transition) translate() translation {
	made := translation{resources: t.known}
	if made.resources == nil {
		made.resources = encode(t.build(t.after))
	}
	if !t.partial {
		return made
	}
	if t.ports.numbers != nil {
		made.ports = encode(t.ports.build(t.ports.after, t.ports.numbers))
		made.removed = t.ports.build(t.ports.before, t.ports.numbers)
	}
	if !t.onlyAdds() {
		made.removed = append(made.removed, t.build(t.before)...)
	}
	return made
}

func encode(resources []envoy.Resource) []encoded {
	list := make([]encoded, 0, len(resources))
	for _, r := range resources {
		kind, err := resourcetype.ParseType(r.TypeURL)
		var c *resource.Content
		if err == nil {
			c, err = resource.New(r)
		}
		list = append(list, encoded{kind, r.Name, c, err})
	}
	return list
}

// contentEdits returns the edits that make a transition.
func (s *Store) contentEdits(l *layer, step transition, made translation) edits {
	var e edits
	for t := range e.contents {
		e.contents[t] = map[string]*resource.Content{}
	}
	s.addTo(&e, l, made.resources)
	s.addTo(&e, l, made.ports)
	if !step.partial {
		for t := range e.contents {
			removeOthers(e.contents[t], l.contents[t])
		}
		return e
	}
	s.removeNames(&e, made.removed)
	return e
}

// removeNames adds edits that remove those of resources that have no edit.
func (s *Store) removeNames(e *edits, resources []envoy.Resource) {
	for _, r := range resources {
		kind, err := resourcetype.ParseType(r.TypeURL)
		if err != nil {
			s.config.Log.Error(err, "A resource is not removed", "name", r.Name)
		} else if e.contents[kind][r.Name] == nil {
			e.contents[kind][r.Name] = nil
		}
	}
}

// addTo adds edits that set resources.
func (s *Store) addTo(e *edits, l *layer, resources []encoded) {
	for _, r := range resources {
		c := s.intern(r)
		if c == nil {
			c = l.contents[r.kind][r.name]
		}
		if c != nil {
			e.contents[r.kind][r.name] = c
		}
	}
}

// intern returns the content of a resource, or nil if it cannot be marshalled.
func (s *Store) intern(r encoded) *resource.Content {
	if r.err != nil {
		s.config.Log.Error(r.err, "A resource is not updated", "name", r.name)
		return nil
	}
	return s.interner.Intern(r.content)
}

// The scope of a client that may call the whole mesh has thousands of resources, and most changes affect few of them. The resources of one
// destination Service do not depend on the other destinations. So a scope is compared with its earlier version Service by Service, and only the
// differences are translated. A property test compares the result with a full translation. Sidecars of Open Service Mesh, whose outbound listener
// depends on all destinations, always get a full one.

// isSeparable reports whether the destinations of a scope can be translated one by one. They cannot if two of them claim one
// address, because then their order decides.
func isSeparable(outbound []scope.Outbound) bool {
	owners := make(map[netip.AddrPort]entity.Name, len(outbound))
	for i := range outbound {
		o := &outbound[i]
		ports := []uint16{o.Port, o.PodPort}
		if !o.Headless() {
			ports = ports[:1]
		}
		for _, address := range o.Addresses {
			for _, port := range ports {
				at := netip.AddrPortFrom(address, port)
				if owner, taken := owners[at]; taken && owner != o.Service {
					return false
				}
				owners[at] = o.Service
			}
		}
	}
	return true
}

// transition is the change of a layer from one version of a scope to the next.
type transition struct {
	before, after *scope.Scope
	// build makes the resources of the layer. They include endpoints of the scope's clusters.
	build func(*scope.Scope) []envoy.Resource
	// partial is true if both versions have only the destinations that may differ, and no inbound ports if these are equal.
	// Otherwise before is ignored.
	partial bool
	// onlyDestinations is true if a partial transition has nothing but destinations, which do not depend on the identity of the client.
	onlyDestinations bool
	// known are the resources of after, if another scope had the same; nil otherwise.
	known []encoded
	// ports are the resources of port numbers that build leaves out of a partial transition.
	ports portsTransition
}

// partialTransition compares the destinations, client policies and inbound ports of two versions. Everything else must be equal.
func partialTransition(before, after *scope.Scope, build builders) transition {
	removed, added := reduce(destinationsOf(before), destinationsOf(after), before.ChangedServices(&after.ClientPolicies)...)
	if removed == nil {
		return transition{after: after, build: build.all}
	}
	t := transition{before: withDestinations(before, removed), after: withDestinations(after, added), build: build.separable, partial: true}
	if after.IsOnDemand() {
		t.ports = portsTransition{before: before, after: after, numbers: portNumbers(removed, added), build: build.ports}
	}
	if reflect.DeepEqual(t.before.Inbound, t.after.Inbound) {
		t.before.Inbound, t.after.Inbound = nil, nil
		if before.Key.Proxy == scope.ProxySidecar && reflect.DeepEqual(before.ClientPolicies, after.ClientPolicies) {
			t.before, t.after, t.build, t.onlyDestinations = ofAnyIdentity(t.before), ofAnyIdentity(t.after), build.destinations, true
		}
	}
	return t
}

// onlyAdds reports whether the transition removes no name.
func (t *transition) onlyAdds() bool {
	return slices.EqualFunc(t.before.Inbound, t.after.Inbound, hasSameResourceNames) &&
		containsInOrder(t.after.Outbound, t.before.Outbound, hasSameNames) &&
		containsInOrder(t.after.Clusters, t.before.Clusters, equalCluster)
}

// hasSameResourceNames reports whether two inbound ports are translated to resources of the same names.
func hasSameResourceNames(a, b scope.Inbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol &&
		a.Rules.Permissive == b.Rules.Permissive
}

// hasSameNames reports whether two destinations are translated to resources of the same names. HTTPRoutes are only in the content of resources.
func hasSameNames(a, b *scope.Outbound) bool {
	x, y := *a, *b
	if len(x.HTTPRoutes) > 0 && len(y.HTTPRoutes) > 0 {
		x.HTTPRoutes, y.HTTPRoutes = nil, nil
	}
	return equalOutbound(&x, &y)
}

// reduce returns the destinations of both versions that may differ. Resources also depend on whether there are any: if one version has none, one equal
// destination stays in both, and without an equal one the result is nil. More are Services that differ for another reason.
func reduce(before, after *scope.Destinations, more ...entity.Name) (removed, added *scope.Destinations) {
	changed := map[entity.Name]bool{}
	for _, service := range more {
		changed[service] = true
	}
	outboundBefore, outboundAfter := trimCommonEnds(before.Outbound, after.Outbound, equalOutbound)
	for _, o := range slices.Concat(outboundBefore, outboundAfter) {
		changed[o.Service] = true
	}
	clustersBefore, clustersAfter := trimCommonEnds(before.Clusters, after.Clusters, equalCluster)
	for _, c := range slices.Concat(clustersBefore, clustersAfter) {
		changed[c.Service] = true
	}
	removed, added = selectServices(before, changed), selectServices(after, changed)
	if len(removed.Outbound) > 0 && len(added.Outbound) > 0 {
		return removed, added
	}
	kept := slices.IndexFunc(after.Outbound, func(o scope.Outbound) bool { return !changed[o.Service] })
	if kept < 0 {
		return nil, nil
	}
	changed[after.Outbound[kept].Service] = true
	return selectServices(before, changed), selectServices(after, changed)
}

// selectServices returns the destinations of some Services.
func selectServices(d *scope.Destinations, services map[entity.Name]bool) *scope.Destinations {
	selected := &scope.Destinations{}
	for i := range d.Outbound {
		if services[d.Outbound[i].Service] {
			selected.Outbound = append(selected.Outbound, d.Outbound[i])
		}
	}
	for i := range d.Clusters {
		if services[d.Clusters[i].Service] {
			selected.Clusters = append(selected.Clusters, d.Clusters[i])
		}
	}
	return selected
}

func destinationsOf(s *scope.Scope) *scope.Destinations {
	return &scope.Destinations{Outbound: s.Outbound, Clusters: s.Clusters, Divided: s.Divided}
}

func withDestinations(s *scope.Scope, d *scope.Destinations) *scope.Scope {
	changed := *s
	changed.Outbound, changed.Clusters, changed.Divided = d.Outbound, d.Clusters, d.Divided
	return &changed
}

func withoutLists(s *scope.Scope) scope.Scope {
	rest := *s
	rest.Inbound, rest.Outbound, rest.Clusters, rest.Divided, rest.ClientPolicies = nil, nil, nil, nil, scope.ClientPolicies{}
	return rest
}
