package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// servicePort is a port of a Service through which the destination can be called.
type servicePort struct {
	service *catalog.Service
	port    catalog.Port
	// pod is the pod address that a client of a headless Service selects.
	pod netip.Addr
	// only restricts the question to one identity. It is empty for all identities behind the Service.
	only identity.ServiceAccount
	// leftOut has the TrafficSplits whose routes the sidecar or gateway of the client does not have on this port.
	leftOut map[catalog.Ref]struct{}
}

// servicePorts returns the Service ports that lead to a destination. Port 0 means all ports.
func servicePorts(v *catalog.View, to party, port uint16) ([]servicePort, error) {
	if to.service != nil {
		return portsOf(v, to.service, identity.ServiceAccount{}, port, nil)
	}
	services := v.ServicesOf(to.identity)
	if to.pod != nil {
		services = v.ServicesOfPod(to.pod)
	}
	var all []servicePort
	for _, name := range services {
		some, err := portsOf(v, v.Service(name), to.identity, 0, to.pod)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if port == 0 || p.port.Number == port || v.TargetPort(p.service, p.port) == port {
				all = append(all, p)
			}
		}
	}
	if port != 0 && len(all) == 0 && len(services) > 0 {
		return nil, fmt.Errorf("no Service has the target port %d of %s", port, to.what)
	}
	return all, nil
}

func portsOf(v *catalog.View, service *catalog.Service, only identity.ServiceAccount, port uint16, pod *catalog.Pod) ([]servicePort, error) {
	var all []servicePort
	for _, p := range service.Ports {
		if port == 0 || p.Number == port {
			all = append(all, servicePort{service: service, port: p, only: only, pod: headlessAddress(v, service, p, only, pod)})
		}
	}
	if port != 0 && len(all) == 0 && v.Service(service.Name) != nil {
		return nil, fmt.Errorf("the Service %s has no port %d in the mesh", service.Name, port)
	}
	return all, nil
}

// headlessAddress returns the address that a client of a headless Service connects to: the pod's address, or the first matching one.
func headlessAddress(v *catalog.View, service *catalog.Service, port catalog.Port, only identity.ServiceAccount, pod *catalog.Pod) netip.Addr {
	if !service.Headless() {
		return netip.Addr{}
	}
	for _, b := range v.Backends(service, port) {
		if pod != nil && !slices.Contains(pod.IPs, b.Address.Addr()) {
			continue
		}
		if only == (identity.ServiceAccount{}) || b.Identity == only {
			return b.Address.Addr()
		}
	}
	return netip.Addr{}
}

// destination is an identity that receives requests to a port, after a TrafficSplit.
type destination struct {
	service  catalog.Name
	identity identity.ServiceAccount
	// port is the container port.
	port     uint16
	protocol catalog.Protocol
	// split is the TrafficSplit in use, matches the requests that it selects. Both are empty without a split.
	split, matches string
}

// destinations lists the identities that receive the request of the question, or any request.
func (p servicePort) destinations(e evaluator) []destination {
	rules := authz.RouteRules(e.viewOf(p), p.service, p.port)
	if p.port.Protocol.IsHTTP() && e.question.asksRequest() {
		rules = []authz.RouteRule{authz.MatchRule(rules, e.request(p))}
	}
	var all []destination
	for _, rule := range rules {
		for _, backend := range rule.Backends {
			if backend.Weight == 0 {
				continue
			}
			for _, sa := range e.v.ServiceIdentities(backend.Service.Name) {
				if p.only == (identity.ServiceAccount{}) || p.only == sa {
					b := destination{service: backend.Service.Name, identity: sa, port: backend.TargetPort, protocol: authz.EffectiveProtocol(e.v, backend.Service, backend.Port)}
					b.split, b.matches = splitOf(rule)
					all = append(all, b)
				}
			}
		}
	}
	return all
}

// splitOf returns the TrafficSplit of a route and its matches.
func splitOf(rule authz.RouteRule) (split, matches string) {
	if rule.Split != nil {
		split = rule.Split.Name.String()
	}
	var list []string
	for _, match := range rule.Matches {
		list = append(list, match.String())
	}
	return split, strings.Join(list, ", or ")
}

// host returns the Host header of clients.
func (p servicePort) host() string {
	host := p.service.Name.Name + "." + p.service.Name.Namespace
	if p.port.Number != 80 {
		host += fmt.Sprintf(":%d", p.port.Number)
	}
	return host
}
