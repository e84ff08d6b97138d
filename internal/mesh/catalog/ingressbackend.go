package catalog

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// IngressBackend admits clients from outside the mesh to ports of Services in its namespace (policy.openservicemesh.io). It requires
// Settings.IngressBackends.
type IngressBackend struct {
	Name    Name
	Created time.Time
	// Backends are sorted by Service, then port. No two have the same Service and port.
	Backends []IngressPort
	// Gateways are the Services whose endpoints may connect, sorted.
	Gateways []Name
	// Prefixes are the address ranges that may connect, sorted. Without Gateways and Prefixes, any address may.
	Prefixes []netip.Prefix
	// Principals are the names that a client certificate may have, sorted.
	Principals []string
	// RouteGroups are the HTTPRouteGroups of the namespace, sorted, that select the admitted requests. Empty admits all requests.
	RouteGroups []string
}

// Ref implements Entry.
func (b *IngressBackend) Ref() Ref { return Ref{KindIngressBackend, b.Name} }

// Age implements Aged.
func (b *IngressBackend) Age() time.Time { return b.Created }

// Deps implements Entry.
func (b *IngressBackend) Deps(list []Dep) []Dep {
	for _, port := range b.Backends {
		list = append(list, Dep{DepIngressBackend, port.Service})
	}
	return list
}

// AnyAddress reports whether clients are not selected by their addresses.
func (b *IngressBackend) AnyAddress() bool { return len(b.Gateways) == 0 && len(b.Prefixes) == 0 }

// IngressPort is a container port that an IngressBackend opens.
type IngressPort struct {
	Service Name
	// TargetPort is the container's port, as in OSM.
	TargetPort uint16
	// TLS is true when clients connect with TLS to the certificate of the workload.
	TLS bool
	// SkipClientCertificate accepts TLS clients without a certificate of the mesh. Principals then have no effect.
	SkipClientCertificate bool
	// ServerNames restrict TLS connections to these SNI hosts, sorted; empty means any.
	ServerNames []string
}

// IngressBackend returns the policy in force for a container port of a Service and its port: the oldest, the first by name among those
// of equal age; nil if there is none.
func (v *View) IngressBackend(service Name, targetPort uint16) (*IngressBackend, IngressPort) {
	policy := oldestOf(v, KindIngressBackend, Dep{DepIngressBackend, service}, func(b *IngressBackend) bool {
		_, found := b.portOf(service, targetPort)
		return found
	})
	if policy == nil {
		return nil, IngressPort{}
	}
	port, _ := policy.portOf(service, targetPort)
	return policy, port
}

func (b *IngressBackend) portOf(service Name, targetPort uint16) (IngressPort, bool) {
	i := slices.IndexFunc(b.Backends, func(p IngressPort) bool { return p.Service == service && p.TargetPort == targetPort })
	if i < 0 {
		return IngressPort{}, false
	}
	return b.Backends[i], true
}

// Addresses returns the addresses behind a Service of any namespace, sorted. They need no sidecar: the Service is a gateway outside
// the mesh. Addresses of endpoints that do not receive new traffic are included, because they may still send requests. Those of endpoints that name no
// pod are not.
func (v *View) Addresses(service Name) []netip.Addr {
	var list []netip.Addr
	for _, slice := range find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service}) {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Pod != (Name{}) {
				list = append(list, endpoint.Address)
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// Precedes reports whether this policy applies instead of another one to the same container port: the older one, then the first by
// name.
func (b *IngressBackend) Precedes(other *IngressBackend) bool {
	return cmp.Or(b.Created.Compare(other.Created), b.Name.Compare(other.Name)) < 0
}
