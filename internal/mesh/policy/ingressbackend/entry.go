package ingressbackend

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Kind is the kind of the policies.
const Kind entity.Kind = "IngressBackend"

// Policy admits clients from outside the mesh to ports of Services in its namespace (policy.openservicemesh.io). It requires
// Settings.IngressBackends.
type Policy struct {
	Name    entity.Name
	Created time.Time
	// Backends are sorted by Service, then port. No two have the same Service and port.
	Backends []Port
	// Gateways are the Services whose endpoints may connect, sorted.
	Gateways []entity.Name
	// Prefixes are the address ranges that may connect, sorted. Without Gateways and Prefixes, any address may.
	Prefixes []netip.Prefix
	// Principals are the names that a client certificate may have, sorted.
	Principals []string
	// RouteGroups are the HTTPRouteGroups of the namespace, sorted, that select the admitted requests. Empty admits all requests.
	RouteGroups []string
}

// Ref implements catalog.Entry.
func (p *Policy) Ref() entity.Ref { return Kind.Ref(p.Name) }

// Age implements catalog.Aged.
func (p *Policy) Age() time.Time { return p.Created }

// Deps implements catalog.Entry.
func (p *Policy) Deps(list []entity.Dep) []entity.Dep {
	return append(list, lists.Map(p.Backends, func(port Port) entity.Dep { return policiesOf(port.Service) })...)
}

// AnyAddress reports whether clients are not selected by their addresses.
func (p *Policy) AnyAddress() bool { return len(p.Gateways) == 0 && len(p.Prefixes) == 0 }

// Port is a container port that an IngressBackend opens.
type Port struct {
	Service entity.Name
	// TargetPort is the container's port, as in OSM.
	TargetPort uint16
	// TLS is true when clients connect with TLS to the certificate of the workload.
	TLS bool
	// SkipClientCertificate accepts TLS clients without a certificate of the mesh. Principals then have no effect.
	SkipClientCertificate bool
	// ServerNames restrict TLS connections to these SNI hosts, sorted; empty means any.
	ServerNames []string
}

// InForce returns the policy in force for a container port of a Service and its port: the oldest, the first by name among those
// of equal age; nil if there is none.
func InForce(v *catalog.View, service entity.Name, targetPort uint16) (*Policy, Port) {
	policy := catalog.Oldest(v, Kind, policiesOf(service), func(p *Policy) bool {
		_, found := p.portOf(service, targetPort)
		return found
	})
	if policy == nil {
		return nil, Port{}
	}
	port, _ := policy.portOf(service, targetPort)
	return policy, port
}

func policiesOf(service entity.Name) entity.Dep {
	return entity.DepIngressBackend.Of(service)
}

func (p *Policy) portOf(service entity.Name, targetPort uint16) (Port, bool) {
	i := slices.IndexFunc(p.Backends, func(port Port) bool { return port.Service == service && port.TargetPort == targetPort })
	if i < 0 {
		return Port{}, false
	}
	return p.Backends[i], true
}

// Precedes reports whether this policy applies instead of another one to the same container port: the older one, then the first by
// name.
func (p *Policy) Precedes(other *Policy) bool {
	return cmp.Or(p.Created.Compare(other.Created), p.Name.Compare(other.Name)) < 0
}
