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
	leaves []leaf
	// direct is true when the client's own choice of a pod counts: a headless Service that is not split, or split into itself.
	direct bool
	// headless is true when the client connects to a pod's address.
	headless bool
	// addresses are those the client may connect to.
	addresses []netip.Addr
	// reachable is true when the client may connect to somebody behind one of the leaves.
	reachable bool
}

// leaf is a Service port that takes a share of the requests.
type leaf struct {
	service *catalog.Service
	port    catalog.Port
	// protocol is what the server's sidecar takes the container's port for.
	protocol catalog.Protocol
	// target is the container's port; 0 when nothing knows it yet.
	target uint16
	weight uint32
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
	if split := v.Split(service.Name); split == nil {
		w.leaves = []leaf{newLeaf(v, source, service, port, 1)}
	} else {
		for _, backend := range split.Backends {
			// A backend without the root's port takes no part.
			if p, ok := portOf(v.Service(backend.Service), port.Number); ok {
				w.leaves = append(w.leaves, newLeaf(v, source, v.Service(backend.Service), p, backend.Weight))
			}
		}
		w.leaves = slices.DeleteFunc(w.leaves, func(l leaf) bool { return l.target == 0 })
	}
	w.direct = w.headless && len(w.leaves) == 1 && w.leaves[0].service == service
	w.reachable = slices.ContainsFunc(w.leaves, func(l leaf) bool { return len(l.allowed) > 0 })
	return w
}

func newLeaf(v *catalog.View, source identity.ServiceAccount, service *catalog.Service, port catalog.Port, weight uint32) leaf {
	l := leaf{
		service: service, port: port, target: v.TargetPort(service, port), protocol: Door(v, service, port),
		weight: weight, all: v.Backers(service.Name),
	}
	for _, sa := range l.all {
		if l.target != 0 && Connects(v, source, sa, l.target, l.protocol) {
			l.allowed = append(l.allowed, sa)
		}
	}
	return l
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
	for _, l := range w.leaves {
		for _, sa := range l.all {
			targets = append(targets, missingTarget(r.Source, sa, l.target, l.protocol))
		}
	}
	if len(targets) == 0 {
		return "a pod behind " + r.Service.String()
	}
	return strings.Join(targets, ", or ")
}

// places are where the leaf's requests are sent to, each once. Direct means that the client has chosen the pod.
func (l leaf) places(v *catalog.View, pod netip.Addr, direct bool) []place {
	var places []place
	for _, b := range l.endpoints(v, direct) {
		if direct && b.Address.Addr() != pod {
			continue
		}
		p := place{
			service: l.service.Name, identity: b.Identity, port: l.target, protocol: l.protocol,
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
	backends := v.Backends(l.service, l.port)
	usable := func(b catalog.Backend) bool {
		return b.Ready && (len(l.allowed) == 0 || slices.Contains(l.allowed, b.Identity))
	}
	if direct || !slices.ContainsFunc(backends, usable) {
		return backends
	}
	return slices.DeleteFunc(backends, func(b catalog.Backend) bool { return !b.Ready })
}
