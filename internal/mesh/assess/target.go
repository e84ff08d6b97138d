package assess

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

func (m Mesh) target(policy *catalog.TrafficTarget) []finding.Finding {
	found := m.beyondBound(policy)
	if destination := finding.Account(policy.Destination); !m.View.Exists(destination) {
		found = append(found, finding.NotFound(finding.NoDestination, destination,
			"ServiceAccount %s of spec.destination does not exist, so the policy grants nothing: create it, or correct the name.", policy.Destination))
	}
	found = append(found, m.sources(policy.Sources)...)
	found = append(found, m.peers(policy)...)
	for _, rule := range policy.Rules {
		found = append(found, finding.Route(m.View, policy.Name.Namespace, rule)...)
	}
	return append(found, m.unmatchedPorts(policy)...)
}

// unmatchedPorts returns the TCPRoutes that grant nothing, because no Service leads to one of their ports. The Services of the destination count, or all of
// the namespace as long as none selects a pod of the destination.
func (m Mesh) unmatchedPorts(policy *catalog.TrafficTarget) []finding.Finding {
	if !slices.ContainsFunc(policy.Rules, func(r catalog.TargetRule) bool { return r.Kind == entity.KindTCPRoute }) {
		return nil
	}
	whose := policy.Destination.String()
	known, complete := m.destinationPorts(policy.Destination)
	if complete && len(known) == 0 {
		whose = "the namespace"
		known, complete = m.View.NumericTargetPorts(policy.Name.Namespace)
	}
	if !complete || len(known) == 0 {
		return nil
	}
	var found []finding.Finding
	for _, rule := range policy.Rules {
		if rule.Kind != entity.KindTCPRoute {
			continue
		}
		route := m.View.TCPRoute(entity.Name{Namespace: policy.Name.Namespace, Name: rule.Name})
		if route == nil || len(route.Ports) == 0 || slices.ContainsFunc(route.Ports, func(p uint16) bool { return slices.Contains(known, p) }) {
			continue
		}
		found = append(found, finding.NotFound(finding.UnknownPort, entity.Ref{},
			"TCPRoute %s has the ports %s, but the Services of %s have the target ports %s, so the rule that refers to it grants nothing: use the targetPort of a Service.",
			route.Name, finding.Numbers(route.Ports), whose, finding.Numbers(known)))
	}
	return found
}

// destinationPorts returns the container ports of the Services of an account, sorted. complete is false if the number of a port with a name is not known.
func (m Mesh) destinationPorts(account identity.ServiceAccount) (known []uint16, complete bool) {
	for _, name := range m.View.ServicesOf(account) {
		service := m.View.Service(name)
		if service == nil {
			continue
		}
		for _, port := range service.Ports {
			numbers := m.View.TargetPorts(service, port)
			if len(numbers) == 0 {
				return nil, false
			}
			known = append(known, numbers...)
		}
	}
	return lists.Unique(known), true
}

// beyondBound returns the sources that do not receive all Services of the target, because its namespace offers them too many.
func (m Mesh) beyondBound(policy *catalog.TrafficTarget) []finding.Finding {
	namespace := policy.Name.Namespace
	isCrossNamespace := slices.ContainsFunc(policy.Sources, func(source identity.ServiceAccount) bool { return source.Namespace != namespace })
	if authz.OffersFit(m.View, namespace, isCrossNamespace) {
		return nil
	}
	var found []finding.Finding
	for _, source := range policy.Sources {
		offered := authz.GrantedServices(m.View, source)
		missing := slices.DeleteFunc(m.View.ServicesOf(policy.Destination), func(service entity.Name) bool { return slices.Contains(offered, service) })
		if len(missing) > 0 {
			found = append(found, finding.New(finding.TooManyServices, finding.ReasonTooManyServices,
				"The TrafficTargets of namespace %s offer more than %s of Services to %s, so its sidecars lack %d of the Services of %s, such as %s: grant it access to fewer service accounts, or delete Services or ports.",
				namespace, authz.OfferBound(source, namespace), source, len(missing), policy.Destination, missing[0]))
		}
	}
	return found
}
