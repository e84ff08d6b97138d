package connectivity

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Ingress is a connection from a gateway outside the mesh to a port of a pod.
type Ingress struct {
	// Gateway is the Service of the gateway. Without a name, its addresses are not verified.
	Gateway catalog.Name
	// Policy is the IngressBackend that admits the gateway.
	Policy catalog.Name
	// Service is the Service of the pod. Without a name, the backends of the policy are not verified.
	Service catalog.Name
	// Port is the port of the pod.
	Port uint16
	// Protocol is http or https.
	Protocol string
}

// VerifyIngress verifies that an IngressBackend is in force for a connection.
func VerifyIngress(v *catalog.View, policy *catalog.IngressBackend, i Ingress) []Check {
	checks := []Check{verifyEnabled(v)}
	if policy == nil {
		return append(checks, failure(fmt.Sprintf("IngressBackend %q is valid", i.Policy), "it admits nobody",
			fmt.Sprintf("read its conditions: kubectl get ingressbackend %s -n %s -o yaml", i.Policy.Name, i.Policy.Namespace)))
	}
	if i.Service.Name != "" {
		checks = append(checks, verifyBackend(v, policy, i))
	}
	if i.Gateway.Name != "" {
		checks = append(checks, verifyGateway(v, policy, i.Gateway))
	}
	return checks
}

func verifyEnabled(v *catalog.View) Check {
	const context = "IngressBackend policies are enabled"
	if v.Settings().IngressBackends {
		return success(context)
	}
	return failure(context, "they have no effect in this mesh", "set spec.featureFlags.enableIngressBackendPolicy of the MeshConfig to true")
}

// verifyBackend verifies the port that the policy opens, and that no older policy has precedence.
func verifyBackend(v *catalog.View, policy *catalog.IngressBackend, i Ingress) Check {
	context := fmt.Sprintf("IngressBackend %q opens port %d of Service %q for %s", policy.Name, i.Port, i.Service, i.Protocol)
	at := slices.IndexFunc(policy.Backends, func(p catalog.IngressPort) bool { return p.Service == i.Service && p.TargetPort == i.Port })
	if at < 0 {
		return failure(context, "spec.backends does not list this port", "add the Service with its targetPort to spec.backends")
	}
	if policy.Backends[at].TLS != (i.Protocol == "https") {
		return failure(context, "spec.backends lists the port with the other protocol", "correct port.protocol of the backend, or --app-protocol")
	}
	if inForce, _ := v.IngressBackend(i.Service, i.Port); inForce != policy {
		return failure(context, fmt.Sprintf("IngressBackend %q is older and has precedence", inForce.Name), "merge both into one object")
	}
	return success("%s", context)
}

// verifyGateway verifies that all addresses of the gateway are admitted.
func verifyGateway(v *catalog.View, policy *catalog.IngressBackend, gateway catalog.Name) Check {
	context := fmt.Sprintf("IngressBackend %q admits the pods of Service %q", policy.Name, gateway)
	addresses := v.Addresses(gateway)
	if len(addresses) == 0 {
		return failure(context, "the Service has no pods", "start the gateway, or correct --from-service")
	}
	if policy.AnyAddress() || slices.Contains(policy.Gateways, gateway) {
		return success("%s", context)
	}
	for _, address := range addresses {
		if !slices.ContainsFunc(policy.Prefixes, prefixContaining(address)) {
			return failure(context, fmt.Sprintf("spec.sources admits neither the Service nor the address %s", address), "add the Service to spec.sources")
		}
	}
	return success("%s", context)
}

func prefixContaining(address netip.Addr) func(netip.Prefix) bool {
	return func(p netip.Prefix) bool { return p.Contains(address) }
}
