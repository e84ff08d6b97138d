package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Ingress is a port of the workload that clients outside the mesh may reach. A container port has at most one.
type Ingress struct {
	// Policy is the IngressBackend in force.
	Policy     entity.Name
	Service    entity.Name
	TargetPort uint16
	// TLS, SkipClientCertificate and ServerNames are those of the IngressBackend.
	TLS                   bool
	SkipClientCertificate bool
	ServerNames           []string
	// AnyAddress admits clients by their certificate alone. Otherwise their address must be in Prefixes, sorted.
	AnyAddress bool
	Prefixes   []netip.Prefix
	// Principals are the names that the certificate of a client may have, sorted. They apply with TLS and without
	// SkipClientCertificate only.
	Principals []string
	// AnyRequest admits every request. Otherwise a request must match one of Matches.
	AnyRequest bool
	Matches    []catalog.HTTPMatch
	// DecodeSlashes is that of an Inbound.
	DecodeSlashes bool
}

// VerifiesClients reports whether clients need a certificate of the mesh.
func (i Ingress) VerifiesClients() bool { return i.TLS && !i.SkipClientCertificate }

// ingress returns the ports that IngressBackends open, sorted by port. Where several Services target one container port,
// the oldest IngressBackend applies, the first by name among those of equal age.
func ingress(v *catalog.View, inbound []Inbound) []Ingress {
	type candidate struct {
		policy *ingressbackend.Policy
		port   ingressbackend.Port
	}
	chosen := map[uint16]candidate{}
	for _, in := range inbound {
		policy, port := ingressbackend.InForce(v, in.Service, in.TargetPort)
		if policy == nil {
			continue
		}
		if best, ok := chosen[in.TargetPort]; !ok || policy.Precedes(best.policy) {
			chosen[in.TargetPort] = candidate{policy, port}
		}
	}
	list := make([]Ingress, 0, len(chosen))
	for _, c := range chosen {
		list = append(list, ingressOf(v, c.policy, c.port))
	}
	slices.SortFunc(list, func(a, b Ingress) int { return int(a.TargetPort) - int(b.TargetPort) })
	return slices.Clip(list)
}

func ingressOf(v *catalog.View, policy *ingressbackend.Policy, port ingressbackend.Port) Ingress {
	out := Ingress{
		Policy: policy.Name, Service: port.Service, TargetPort: port.TargetPort,
		TLS: port.TLS, SkipClientCertificate: port.SkipClientCertificate, ServerNames: port.ServerNames,
		AnyAddress: policy.AnyAddress(), Principals: policy.Principals, AnyRequest: len(policy.RouteGroups) == 0,
		DecodeSlashes: v.DecodesSlashes(port.Service),
	}
	out.Prefixes, out.Matches = ingressPrefixes(v, policy), ingressMatches(v, policy)
	return out
}

// admitNobody removes the clients and requests of the port.
func (i *Ingress) admitNobody() {
	i.AnyRequest, i.Matches, i.Prefixes, i.Principals = false, nil, nil, nil
}

type ingressPrefixesKey struct{ policy entity.Name }

// ingressPrefixes are the addresses that an IngressBackend admits. All its ports share the list, which nobody may change.
func ingressPrefixes(v *catalog.View, policy *ingressbackend.Policy) []netip.Prefix {
	return catalog.Memo(v, ingressPrefixesKey{policy.Name}, func() []netip.Prefix {
		prefixes := slices.Clone(policy.Prefixes)
		for _, gateway := range policy.Gateways {
			for _, address := range v.Addresses(gateway) {
				prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
			}
		}
		return lists.UniqueFunc(prefixes, netip.Prefix.Compare)
	})
}

type ingressMatchesKey struct{ policy entity.Name }

// ingressMatches are the requests that an IngressBackend admits. All its ports share the list, which nobody may change.
func ingressMatches(v *catalog.View, policy *ingressbackend.Policy) []catalog.HTTPMatch {
	return catalog.Memo(v, ingressMatchesKey{policy.Name}, func() []catalog.HTTPMatch { return v.GroupMatches(policy.Name.Namespace, policy.RouteGroups) })
}
