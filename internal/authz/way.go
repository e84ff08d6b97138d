package authz

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// way is how a client gets to a port of a Service.
type way struct {
	// shares are asked in order; the last one takes every request.
	shares []share
	// headless is true when the client connects to a pod's address.
	headless bool
	// addresses are those the client may connect to.
	addresses []netip.Addr
	// reachable is true when the client may connect to somebody behind one of the leaves.
	reachable bool
}

// share is a division of requests as one client sees it.
type share struct {
	Division
	leaves []leaf
	// direct is true when the client's own choice of a pod counts.
	direct bool
}

// leaf is a Service port that takes requests of a client.
type leaf struct {
	Leaf
	// protocol is what the server's sidecar takes the container's port for.
	protocol catalog.Protocol
	// all are the identities behind the Service, allowed those that the client may connect to.
	all, allowed []identity.ServiceAccount
}

// wayTo finds the way of a client to a port of a Service.
func wayTo(v *catalog.View, source identity.ServiceAccount, service *catalog.Service, port catalog.Port) way {
	w := way{headless: service.Headless(), addresses: service.ClusterIPs}
	if w.headless {
		for _, b := range v.Backends(service, port) {
			w.addresses = append(w.addresses, b.Address.Addr())
		}
	}
	for _, division := range Divisions(v, service, port) {
		s := share{Division: division, direct: division.Direct(service)}
		for _, l := range division.Leaves {
			s.leaves = append(s.leaves, newLeaf(v, source, l))
		}
		w.reachable = w.reachable || slices.ContainsFunc(s.leaves, func(l leaf) bool { return len(l.allowed) > 0 })
		w.shares = append(w.shares, s)
	}
	return w
}

func newLeaf(v *catalog.View, source identity.ServiceAccount, at Leaf) leaf {
	l := leaf{Leaf: at, protocol: Door(v, at.Service, at.Port), all: v.Backers(at.Service.Name)}
	for _, sa := range l.all {
		if Connects(v, source, sa, l.Target, l.protocol) {
			l.allowed = append(l.allowed, sa)
		}
	}
	return l
}

// shareOf is the share that takes a request, and the match that says so, if any.
func (w way) shareOf(r Request) (share, *SplitMatch) {
	m := messageSent(r)
	for _, s := range w.shares {
		if by, taken := s.takes(m); taken {
			return s, by
		}
	}
	return share{}, nil // the last share takes everything
}

// known says whether the client's sidecar knows the way; pod is the client's choice for a headless Service.
func (w way) known(pod netip.Addr) bool {
	if w.headless {
		return w.reachable && slices.Contains(w.addresses, pod)
	}
	return w.reachable && len(w.addresses) > 0
}

// missing says why the client's sidecar does not know the way.
func (w way) missing(v *catalog.View, r Request) string {
	if w.reachable {
		return fmt.Sprintf("a pod with a sidecar behind %s at the address %s", r.Service, r.Pod)
	}
	var targets []string
	for _, s := range w.shares {
		for _, l := range s.leaves {
			for _, sa := range l.all {
				targets = append(targets, missingTarget(r.Source, sa, l.Target, l.protocol))
			}
		}
	}
	last := w.shares[len(w.shares)-1]
	switch {
	case len(targets) == 0 && last.Split != nil && len(last.leaves) == 0:
		return last.missing(r)
	case len(targets) == 0:
		return "a pod behind " + r.Service.String()
	}
	slices.Sort(targets)
	return strings.Join(slices.Compact(targets), ", or ")
}

// places are where the leaf's requests are sent to, each once. Direct means that the client has chosen the pod.
func (l leaf) places(v *catalog.View, pod netip.Addr, direct bool) []place {
	var places []place
	for _, b := range l.endpoints(v, direct) {
		if direct && b.Address.Addr() != pod {
			continue
		}
		p := place{
			service: l.Service.Name, identity: b.Identity, port: l.Target, protocol: l.protocol,
			trusted: len(l.allowed) == 0 || slices.Contains(l.allowed, b.Identity),
		}
		// A client that chooses its pod reaches it or fails; for others, pods that they may not call are left out.
		if (p.trusted || direct) && !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places
}

// endpoints are the addresses behind a leaf: those that are ready, or when none is that the client may call, those that still
// serve while they terminate. Whoever chooses a pod is not asked whether it is ready.
func (l leaf) endpoints(v *catalog.View, direct bool) []catalog.Backend {
	backends := v.Backends(l.Service, l.Port)
	usable := func(b catalog.Backend) bool {
		return b.Ready && (len(l.allowed) == 0 || slices.Contains(l.allowed, b.Identity))
	}
	if direct || !slices.ContainsFunc(backends, usable) {
		return backends
	}
	return slices.DeleteFunc(backends, func(b catalog.Backend) bool { return !b.Ready })
}
