package scope

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
)

// addPorts adds the ports of the workload, with the clients and requests that they admit. Ports beyond the limits deny all requests.
func (s *Scope) addPorts(v *catalog.View, ingressBackends bool) {
	for _, name := range parseNames(s.Key.Services) {
		if service := v.Service(name); service != nil {
			s.Inbound = append(s.Inbound, inbound(v, s.Key, service)...)
		}
	}
	if excess := len(s.Inbound) - authz.MaxOwnPorts; excess > 0 {
		s.Inbound, s.DeniedPorts = slices.Clip(s.Inbound[:authz.MaxOwnPorts]), excess
	}
	if ingressBackends {
		s.Ingress = ingress(v, s.Inbound)
	}
	s.limitRoutes()
	s.limitPeerChains()
}

// inbound returns one element per distinct container port of the Service. Several Service ports may target one
// container port.
func inbound(v *catalog.View, key Key, service *inventory.Service) []Inbound {
	var list []Inbound
	seen := map[uint16]bool{}
	setting := authz.UpstreamSetting(v, service.Name)
	limits := limitsOf(setting)
	own, peers := key.namedPorts(), exportedTo(v, service.Name)
	for _, port := range service.Ports {
		targets := []uint16{v.TargetPort(service, port)}
		if numbers := own[portKey(service.Name, port.Name)]; len(numbers) > 0 && service.NumberDependsOnPod(port) {
			targets = numbers
		}
		for _, target := range targets {
			if target == 0 || seen[target] {
				continue
			}
			seen[target] = true
			protocol := authz.EffectiveProtocol(v, service, port)
			list = append(list, Inbound{
				Service:    service.Name,
				Port:       port.Number,
				TargetPort: target,
				Protocol:   protocol,
				Rules:      authz.InboundRules(v, key.Identity, target, protocol),
				Peers:      inboundOfPeers(v, key, service, target, protocol, peers),
				Limits:     limits,
				// An HTTP connection is closed by the client's sidecar.
				IdleTimeout:   longIdleTimeout(setting, protocol),
				DecodeSlashes: protocol.IsHTTP() && v.DecodesSlashes(service.Name),
			})
		}
	}
	return list
}

// limitRoutes denies all requests on the inbound ports whose routes and clients are beyond authz.MaxRoutes.
func (s *Scope) limitRoutes() {
	var mesh, outside authz.RouteLimit
	weights := portWeights{}
	for i := range s.Inbound {
		in := &s.Inbound[i]
		if w := weights.of(in); !mesh.Admit(s.Key.Identity.Namespace, w.rules+w.limits) {
			recordLimited(&mesh, in, w)
			in.Rules, in.Peers, in.Limits = authz.Rules{}, nil, nil
			s.DeniedPorts++
		}
	}
	for i := range s.Ingress {
		if in := &s.Ingress[i]; !outside.Admit(s.Key.Identity.Namespace, in.weight()) {
			outside.Record(entity.Ref{Kind: ingressbackend.Kind, Name: in.Policy})
			in.admitNobody()
			s.DeniedPorts++
		}
	}
	s.addLimited(mesh.Limited())
	s.addLimited(outside.Limited())
}

// recordLimited records the TrafficTargets of a port that denies all requests, and its setting if the limits need more than a tenth of the routes.
func recordLimited(limit *authz.RouteLimit, in *Inbound, w portWeight) {
	for _, rule := range in.Rules.Network {
		limit.Record(targetOf(rule.Policy))
	}
	for _, peer := range in.Peers {
		for _, rule := range peer.Rules.Network {
			limit.Record(targetOf(rule.Policy))
		}
	}
	if in.Limits != nil && w.limits > w.rules/10 {
		limit.Record(in.Limits.Policy)
	}
}

// targetOf returns the TrafficTarget of a rule.
func targetOf(policy string) entity.Ref {
	namespace, name, _ := strings.Cut(policy, "/")
	return entity.KindTrafficTarget.Ref(entity.Name{Namespace: namespace, Name: name})
}

// DeniesAll reports whether a pod of a destination denies all requests of the mesh, which its policies admit, because its ports have too many routes.
func DeniesAll(v *catalog.View, d authz.Destination) bool {
	admitsAny := func(rules authz.Rules) bool { return rules.Permissive || len(rules.Network) > 0 }
	return admitsAny(authz.InboundRules(v, d.Identity, d.Port, d.Protocol)) && anyLimited(v, d.Identity, func(s *Scope) bool {
		i := slices.IndexFunc(s.Inbound, func(in Inbound) bool { return in.Service == d.Service && in.TargetPort == d.Port })
		if i < 0 { // it is beyond the ports that a sidecar has, or the pod has another number for its name
			return s.Key.IsBehind(d.Service) && len(s.Inbound) == authz.MaxOwnPorts
		}
		return !admitsAny(s.Inbound[i].Rules)
	})
}

// DeniesOutside reports whether a pod behind a Service denies all requests from outside the mesh to a port, because its ports have too many routes.
func DeniesOutside(v *catalog.View, service entity.Name, targetPort uint16) bool {
	return slices.ContainsFunc(v.ServiceIdentities(service), func(account identity.ServiceAccount) bool {
		return anyLimited(v, account, func(s *Scope) bool {
			return s.Key.IsBehind(service) && !slices.ContainsFunc(s.Ingress, func(in Ingress) bool {
				return in.TargetPort == targetPort && (in.AnyRequest || len(in.Matches) > 0)
			})
		})
	})
}

// anyLimited reports whether a sidecar of an identity has ports beyond the limits, and fulfills the condition.
func anyLimited(v *catalog.View, account identity.ServiceAccount, condition func(*Scope) bool) bool {
	if portsOf(v, KeyOfServices(account, v.ServicesOf(account))).DeniedPorts == 0 {
		return false // no pod has more ports
	}
	return slices.ContainsFunc(v.PodsOf(account), func(pod *inventory.Instance) bool {
		s := portsOf(v, KeyFor(v, pod))
		return s.DeniedPorts > 0 && condition(s)
	})
}

// portsOf returns a scope with nothing but the ports of the workload.
func portsOf(v *catalog.View, key Key) *Scope {
	s := &Scope{Common: Common{Key: key}}
	if key.Proxy == ProxySidecar {
		s.addPorts(v, v.Settings().IngressBackends)
	}
	return s
}
