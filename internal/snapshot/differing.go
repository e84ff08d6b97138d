package snapshot

import (
	"iter"
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// A scope that shows its client the whole mesh has thousands of resources, and a change concerns a few of them. What belongs
// to one destination Service is translated without regard to the others, so a scope is compared with its predecessor Service
// by Service and only what differs is translated again. A property test holds the result against a full translation.

// separable says whether the Services of a scope can be translated one by one. They cannot when two of them claim one
// address, because then the order decides.
func separable(s *scope.Scope) bool {
	owners := make(map[netip.AddrPort]catalog.Name, len(s.Outbound))
	for i := range s.Outbound {
		o := &s.Outbound[i]
		ports := [2]uint16{o.Port, o.PodPort}
		for _, address := range o.Addresses {
			for _, port := range ports {
				at := netip.AddrPortFrom(address, port)
				if owner, taken := owners[at]; taken && owner != o.Service && port != 0 {
					return false
				}
				owners[at] = o.Service
			}
		}
	}
	return true
}

// differing reduces two scopes of one key to the destinations that differ. It says false when that is not possible. One
// destination that both have remains in both, since there being any is a difference too; so does what is inbound.
func differing(before, after *scope.Scope) (was, is *scope.Scope, ok bool) {
	if !reflect.DeepEqual(header(before), header(after)) {
		return before, after, false
	}
	old, _ := destinationsOf(before)
	current, names := destinationsOf(after)
	was, is = withoutDestinations(before), withoutDestinations(after)
	anchored := false
	for _, name := range names {
		d := current[name]
		same := d.equal(old[name])
		if same && (anchored || len(d.outbound) == 0) {
			continue
		}
		anchored = anchored || same
		d.addTo(is)
		old[name].addTo(was)
	}
	for name, d := range old {
		if _, still := current[name]; !still {
			d.addTo(was)
		}
	}
	if !anchored {
		return before, after, false
	}
	return was, is, true
}

// header is a scope without its lists.
func header(s *scope.Scope) scope.Scope {
	h := *s
	h.Inbound, h.Outbound, h.Clusters = nil, nil, nil
	return h
}

// destination is what a scope has of one Service.
type destination struct {
	outbound []scope.Outbound
	clusters []scope.Cluster
}

// destinationsOf divides a scope by Service. The names are in the scope's order.
func destinationsOf(s *scope.Scope) (map[catalog.Name]destination, []catalog.Name) {
	all := make(map[catalog.Name]destination, len(s.Outbound))
	names := make([]catalog.Name, 0, len(s.Outbound))
	change := func(name catalog.Name, f func(*destination)) {
		d, known := all[name]
		if !known {
			names = append(names, name)
		}
		f(&d)
		all[name] = d
	}
	for run := range runs(s.Outbound, func(o *scope.Outbound) catalog.Name { return o.Service }) {
		change(run[0].Service, func(d *destination) { d.outbound = append(d.outbound, run...) })
	}
	for run := range runs(s.Clusters, func(c *scope.Cluster) catalog.Name { return c.Service }) {
		change(run[0].Service, func(d *destination) { d.clusters = append(d.clusters, run...) })
	}
	return all, names
}

// runs yields the longest parts of a list whose elements have one name.
func runs[E any](list []E, name func(*E) catalog.Name) iter.Seq[[]E] {
	return func(yield func([]E) bool) {
		for start := 0; start < len(list); {
			end := start + 1
			for end < len(list) && name(&list[end]) == name(&list[start]) {
				end++
			}
			if !yield(list[start:end:end]) {
				return
			}
			start = end
		}
	}
}

func withoutDestinations(s *scope.Scope) *scope.Scope {
	reduced := *s
	reduced.Outbound, reduced.Clusters = nil, nil
	return &reduced
}

func (d destination) addTo(s *scope.Scope) {
	s.Outbound = append(s.Outbound, d.outbound...)
	s.Clusters = append(s.Clusters, d.clusters...)
}

func (d destination) equal(other destination) bool {
	return slices.EqualFunc(d.outbound, other.outbound, sameOutbound) && slices.EqualFunc(d.clusters, other.clusters, sameCluster)
}

func sameOutbound(a, b scope.Outbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.Protocol == b.Protocol && a.PodPort == b.PodPort &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Backends, b.Backends)
}

func sameCluster(a, b scope.Cluster) bool {
	return a.Service == b.Service && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol && a.Endpoints == b.Endpoints &&
		slices.Equal(a.Identities, b.Identities)
}
