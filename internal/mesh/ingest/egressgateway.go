package ingest

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// defaultTLSPort is the default of spec.gateway.tls.port.
const defaultTLSPort = 443

// egressGateway reads how the egress gateway forwards what an Egress allows, and returns the ports that it can forward. It looks up hosts
// itself, so it cannot forward to the address that a client chose. Without a usable configuration of TLS, no port remains: what should be
// encrypted is never sent as it is.
func egressGateway(spec *policyv1alpha1.EgressSpec, policy *catalog.Egress, ports []catalog.EgressPort, found *problems) []catalog.EgressPort {
	if spec.Gateway == nil {
		return ports
	}
	policy.Gateway = &catalog.EgressGateway{}
	if spec.Gateway.TLS != nil {
		if policy.Gateway.TLS = egressTLS(spec.Gateway.TLS, found); policy.Gateway.TLS == nil {
			return nil
		}
	}
	policy.Hosts = slices.DeleteFunc(policy.Hosts, func(host string) bool { return isLocalHost(host, found) })
	if len(spec.IPAddresses) > 0 {
		found.reject(ReasonUnsupported, "spec.ipAddresses has addresses that clients choose, and the egress gateway looks up spec.hosts instead, so this Egress allows nothing: remove spec.ipAddresses or spec.gateway.")
		return nil
	}
	return slices.DeleteFunc(ports, func(port catalog.EgressPort) bool {
		unsupported := port.Protocol != catalog.ProtocolHTTP && port.Protocol != catalog.ProtocolHTTPS
		if unsupported {
			found.reject(ReasonUnsupported, "Port %d has the protocol %s, which has no hosts for the egress gateway to look up, so it is left out: use http or https, or an Egress without spec.gateway.", port.Number, port.Protocol)
		}
		return unsupported
	})
}

// egressTLS reads how the egress gateway encrypts requests; nil if it cannot.
func egressTLS(spec *policyv1alpha1.EgressTLSSpec, found *problems) *catalog.EgressTLS {
	tls := &catalog.EgressTLS{Port: defaultTLSPort, Secret: spec.SecretName}
	if spec.Port != nil {
		number := *spec.Port
		if number < 1 || number > 65535 || names.IsReservedPort(uint16(number)) {
			found.reject(ReasonInvalidPort, "spec.gateway.tls.port is %d, so this Egress allows nothing: write a port from 1 to 65535 that does not belong to sidecars.", number)
			return nil
		}
		tls.Port = uint16(number)
	}
	if len(validation.IsDNS1123Subdomain(tls.Secret)) > 0 {
		found.reject(ReasonInvalidName, "spec.gateway.tls.secretName %.80q is not the name of an object, so this Egress allows nothing: name a Secret with the key ca.crt.", tls.Secret)
		return nil
	}
	return tls
}

// isLocalHost is catalog.IsLocalHost, and reports the host.
func isLocalHost(host string, found *problems) bool {
	local := catalog.IsLocalHost(host)
	if local {
		found.reject(ReasonRejectedAddress, "The host %s of spec.hosts is local to the pod or the node of the egress gateway, so it is left out: name a host outside.", host)
	}
	return local
}

// RequiredGateway returns what an Egress loses because its namespace requires the egress gateway.
func RequiredGateway(policy *catalog.Egress) []Problem {
	var found problems
	left := policy.ThroughGateway()
	const because = "The namespace %s requires the egress gateway, "
	for _, host := range policy.Hosts {
		if !slices.Contains(left.Hosts, host) {
			found.reject(ReasonRejectedAddress, because+"and the host %s of spec.hosts is local to its pod or node, so it is left out: name a host outside.", policy.Name.Namespace, host)
		}
	}
	if len(policy.Prefixes) > 0 {
		found.reject(ReasonUnsupported, because+"which looks up hosts instead of using spec.ipAddresses, so this Egress allows nothing: use spec.hosts only.", policy.Name.Namespace)
		return found
	}
	for _, port := range policy.Ports {
		if !slices.Contains(left.Ports, port) {
			found.reject(ReasonUnsupported, because+"which has no hosts to look up for the protocol %s of port %d, so the port is left out: use http or https.", policy.Name.Namespace, port.Protocol, port.Number)
		}
	}
	return found
}

// warnUnusedTLS warns about a configuration of TLS that encrypts nothing.
func warnUnusedTLS(policy *catalog.Egress, found *problems) {
	hasHTTP := slices.ContainsFunc(policy.Ports, func(p catalog.EgressPort) bool { return p.Protocol == catalog.ProtocolHTTP })
	if policy.Gateway != nil && policy.Gateway.TLS != nil && !hasHTTP && len(policy.Ports) > 0 {
		found.warn(ReasonNotUsed, "spec.gateway.tls has no effect on ports with the protocol https, whose clients encrypt themselves: use the protocol http, or remove it.")
	}
}
