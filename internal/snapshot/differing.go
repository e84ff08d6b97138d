package snapshot

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// A scope that shows its client the whole mesh has thousands of resources, and a change concerns a few of them. What belongs
// to one destination Service is translated without regard to the others, so a scope is compared with its predecessor Service
// by Service and only what differs is translated again. A property test holds the result against a full translation.

// separable says whether the destinations of a scope can be translated one by one. They cannot when two of them claim one
// address, because then the order decides.
func separable(outbound []scope.Outbound) bool {
	owners := make(map[netip.AddrPort]catalog.Name, len(outbound))
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

// transition is how a scope becomes its successor.
type transition struct {
	before, after *scope.Scope
	// partial is true when both are reduced to the destinations that may differ, and what is inbound to nothing if it is the same.
	partial bool
	// was and is are their destinations where those are common to other scopes, else nil.
	was, is *scope.Destinations
}

// transition compares a scope with its successor. The difference between common destinations has been found already.
func (s *Store) transition(n *scopeNode, after *scope.Scope, shared *scope.Destinations) transition {
	whole := transition{before: n.built, after: after, is: shared}
	before := n.built
	if !reflect.DeepEqual(header(before), header(after)) {
		return whole
	}
	retried := retriedOtherwise(before.Retries, after.Retries)
	if shared != nil && shared == s.common.current && n.shared != nil && n.shared == s.common.before {
		was, is := s.common.was, s.common.is
		if was == nil || len(retried) > 0 {
			return whole
		}
		return outboundAlone(transition{with(before, was), with(after, is), true, was, is})
	}
	was, is := narrowed(destinationsOf(before), destinationsOf(after), retried...)
	if was == nil {
		return whole
	}
	return outboundAlone(transition{before: with(before, was), after: with(after, is), partial: true})
}

// outboundAlone takes what is inbound out of both scopes of a partial transition, if it is the same in both: a new destination does
// not change who may come in.
func outboundAlone(t transition) transition {
	if reflect.DeepEqual(t.before.Inbound, t.after.Inbound) {
		t.before.Inbound, t.after.Inbound = nil, nil
	}
	return t
}

// unchanged says whether a scope and its successor are the same. Whoever reads a policy is built again when it changes, and
// often it makes no difference to him.
func unchanged(before, after *scope.Scope) bool {
	return slices.EqualFunc(before.Outbound, after.Outbound, equal(sameOutbound)) &&
		slices.EqualFunc(before.Clusters, after.Clusters, equal(sameCluster)) &&
		reflect.DeepEqual(before.Inbound, after.Inbound) && reflect.DeepEqual(before.Retries, after.Retries) && reflect.DeepEqual(header(before), header(after))
}

// onlyAdds says whether every name that was there still is.
func (t *transition) onlyAdds() bool {
	return slices.EqualFunc(t.before.Inbound, t.after.Inbound, sameDoor) &&
		contains(t.after.Outbound, t.before.Outbound, sameOutbound) && contains(t.after.Clusters, t.before.Clusters, sameCluster)
}

// sameDoor says whether two inbound ports are translated to resources of the same names.
func sameDoor(a, b scope.Inbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol &&
		a.Rules.Permissive == b.Rules.Permissive
}

// contains says whether a list has all elements of another, in the same order.
func contains[E any](list, all []E, same func(a, b *E) bool) bool {
	found := 0
	for i := range list {
		if found < len(all) && same(&list[i], &all[found]) {
			found++
		}
	}
	return found == len(all)
}

// narrowed reduces two sets of destinations to those that may differ. One that both have remains in both, since there being
// any is a difference too. It gives nil when there is none. What differs for another reason is named by more.
func narrowed(before, after *scope.Destinations, more ...catalog.Name) (was, is *scope.Destinations) {
	concerned := map[catalog.Name]bool{}
	for _, service := range more {
		concerned[service] = true
	}
	from, to := middle(before.Outbound, after.Outbound, sameOutbound)
	for _, o := range slices.Concat(from, to) {
		concerned[o.Service] = true
	}
	left, right := middle(before.Clusters, after.Clusters, sameCluster)
	for _, c := range slices.Concat(left, right) {
		concerned[c.Service] = true
	}
	anchor := slices.IndexFunc(after.Outbound, func(o scope.Outbound) bool { return !concerned[o.Service] })
	if anchor < 0 {
		return nil, nil
	}
	concerned[after.Outbound[anchor].Service] = true
	return only(before, concerned), only(after, concerned)
}

// retriedOtherwise are the Services whose retry policies differ.
func retriedOtherwise(before, after []scope.Retry) []catalog.Name {
	var list []catalog.Name
	from, to := middle(before, after, func(a, b *scope.Retry) bool { return *a == *b })
	for _, r := range slices.Concat(from, to) {
		list = append(list, r.Service)
	}
	return list
}

// middle is what is left of two lists without the elements that both begin and end with.
func middle[E any](a, b []E, same func(a, b *E) bool) (restA, restB []E) {
	for len(a) > 0 && len(b) > 0 && same(&a[0], &b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && same(&a[len(a)-1], &b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// only are the destinations that are concerned.
func only(d *scope.Destinations, concerned map[catalog.Name]bool) *scope.Destinations {
	reduced := &scope.Destinations{}
	for i := range d.Outbound {
		if concerned[d.Outbound[i].Service] {
			reduced.Outbound = append(reduced.Outbound, d.Outbound[i])
		}
	}
	for i := range d.Clusters {
		if concerned[d.Clusters[i].Service] {
			reduced.Clusters = append(reduced.Clusters, d.Clusters[i])
		}
	}
	return reduced
}

func destinationsOf(s *scope.Scope) *scope.Destinations {
	return &scope.Destinations{Outbound: s.Outbound, Clusters: s.Clusters}
}

// with is a scope with other destinations.
func with(s *scope.Scope, d *scope.Destinations) *scope.Scope {
	reduced := *s
	reduced.Outbound, reduced.Clusters = d.Outbound, d.Clusters
	return &reduced
}

// header is a scope without its lists.
func header(s *scope.Scope) scope.Scope {
	h := *s
	h.Inbound, h.Outbound, h.Clusters, h.Retries = nil, nil, nil, nil
	return h
}

func sameOutbound(a, b *scope.Outbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.Protocol == b.Protocol && a.PodPort == b.PodPort &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Backends, b.Backends) &&
		slices.EqualFunc(a.Routes, b.Routes, sameRoutes) && sameUpstream(a.Upstream, b.Upstream)
}

// sameRoutes compares the parts of a destination's requests that are divided. Few destinations have any.
func sameRoutes(a, b scope.OutboundRoutes) bool { return reflect.DeepEqual(a, b) }

func sameCluster(a, b *scope.Cluster) bool {
	return a.Service == b.Service && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol && a.Endpoints == b.Endpoints &&
		slices.Equal(a.Identities, b.Identities) && sameUpstream(a.Upstream, b.Upstream)
}

// sameUpstream: nearly all are nil.
func sameUpstream(a, b *scope.Upstream) bool { return a == b || reflect.DeepEqual(a, b) }

// equal is the same comparison of values.
func equal[E any](same func(a, b *E) bool) func(a, b E) bool {
	return func(a, b E) bool { return same(&a, &b) }
}
