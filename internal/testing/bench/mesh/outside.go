package mesh

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Outside is Policy, where each service also has an Egress and an IngressBackend, and an external server authorizes the requests of each
// namespace.
const Outside Mode = "outside"

// Kinds of edits of policies of clients and servers outside the mesh.
const (
	// Egress allows a service one more host.
	Egress Kind = "egress"
	// Ingress changes the addresses that may connect to a service.
	Ingress Kind = "ingress"
	// Authorizer changes the server that authorizes requests to the services of a namespace.
	Authorizer Kind = "authorizer"
)

// OutsideOnly returns the kinds that are measured in mode Outside only.
func OutsideOnly() []Kind { return []Kind{Egress, Ingress, Authorizer} }

// outside returns the policies of a service, and with the first one of a namespace also its authorizer.
func outside(i int) []catalog.Entry {
	entries := []catalog.Entry{egressOf(i, 1), ingressOf(i, 0)}
	if i%perNamespace == 0 {
		entries = append(entries, authorizer(i, 0), &catalog.ExternalAuthorizationPolicy{
			Name: authorizerName(i), Service: authorizerName(i), Timeout: time.Second,
		})
	}
	return entries
}

// egressOf returns an Egress with a number of hosts.
func egressOf(i, hosts int) *catalog.Egress {
	e := &catalog.Egress{
		Name: name(i), Sources: []identity.ServiceAccount{Account(i)},
		Ports: []catalog.EgressPort{{Number: servicePort, Protocol: catalog.ProtocolHTTP}},
	}
	for n := range hosts {
		e.Hosts = append(e.Hosts, fmt.Sprintf("host-%03d.example.com", n))
	}
	return e
}

// ingressOf returns an IngressBackend. The version is part of the admitted range.
func ingressOf(i, version int) *catalog.IngressBackend {
	return &catalog.IngressBackend{
		Name: name(i), Backends: []catalog.IngressPort{{Service: name(i), TargetPort: containerPort}},
		Prefixes: []netip.Prefix{netip.PrefixFrom(address(11, version), 32)},
	}
}

func authorizerName(i int) catalog.Name {
	return catalog.Name{Namespace: name(i).Namespace, Name: "authorizer"}
}

// authorizer returns the server of the namespace of a service. The version is part of a timeout.
func authorizer(i, version int) *catalog.ExtensionService {
	return &catalog.ExtensionService{
		Name: authorizerName(i), Address: "authorizer.example.com", Port: 9000, ConnectTimeout: time.Second + time.Duration(version)*time.Millisecond,
	}
}

// outsideEdit returns the n-th edit of a kind. It concerns service i.
func (m *Mesh) outsideEdit(kind Kind, i, n int) Change {
	switch kind {
	case Egress:
		return Change{Changes: []catalog.Change{catalog.Set(egressOf(i, 2+n/m.changing()))}, Candidates: []int{i}}
	case Ingress:
		return Change{Changes: []catalog.Change{catalog.Set(ingressOf(i, n+1))}, Candidates: []int{i}}
	default:
		c := Change{Changes: []catalog.Change{catalog.Set(authorizer(i, n+1))}}
		first := i - i%perNamespace
		for service := first; service < min(first+perNamespace, m.Services); service++ {
			c.Candidates = append(c.Candidates, service)
		}
		return c
	}
}
