package connectivity

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Ingress is a connection from a gateway outside the mesh to a port of a pod.
type Ingress struct {
	// Gateway is the Service of the gateway. Without a name, its addresses are not verified.
	Gateway entity.Name
	// Policy is the IngressBackend that admits the gateway.
	Policy entity.Name
	// Service is the Service of the pod. Without a name, the backends of the policy are not verified.
	Service entity.Name
	// Port is the port of the pod.
	Port uint16
	// Protocol is http or https.
	Protocol string
}

// VerifyIngress verifies that an IngressBackend is in force for a connection.
func VerifyIngress(v *catalog.View, policy *ingressbackend.Policy, i Ingress) []diagnosis.Finding {
	checks := []diagnosis.Finding{verifyEnabled(v)}
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

func verifyEnabled(v *catalog.View) diagnosis.Finding {
	const context = "IngressBackend policies are enabled"
	if v.Settings().IngressBackends {
		return success(context, "")
	}
	return failure(context, "they have no effect in this mesh", "set spec.featureFlags.enableIngressBackendPolicy of the MeshConfig to true")
}

// verifyBackend verifies the port that the policy opens, and that no older policy has precedence.
func verifyBackend(v *catalog.View, policy *ingressbackend.Policy, i Ingress) diagnosis.Finding {
	context := fmt.Sprintf("IngressBackend %q opens port %d of Service %q for %s", policy.Name, i.Port, i.Service, i.Protocol)
	at := slices.IndexFunc(policy.Backends, func(p ingressbackend.Port) bool { return p.Service == i.Service && p.TargetPort == i.Port })
	if at < 0 {
		return failure(context, "spec.backends does not list this port", "add the Service with its targetPort to spec.backends")
	}
	if policy.Backends[at].TLS != (i.Protocol == "https") {
		return failure(context, "spec.backends lists the port with the other protocol", "correct port.protocol of the backend, or --app-protocol")
	}
	if inForce, _ := ingressbackend.InForce(v, i.Service, i.Port); inForce != policy {
		return failure(context, fmt.Sprintf("IngressBackend %q is older and has precedence", inForce.Name), "merge both into one object")
	}
	return success(context, "")
}

// verifyGateway verifies that all addresses of the gateway are admitted.
func verifyGateway(v *catalog.View, policy *ingressbackend.Policy, gateway entity.Name) diagnosis.Finding {
	context := fmt.Sprintf("IngressBackend %q admits the pods of Service %q", policy.Name, gateway)
	addresses := v.Addresses(gateway)
	if len(addresses) == 0 {
		return failure(context, "the Service has no pod that is ready", "start the gateway, look at why its pods are not ready, or correct --from-service")
	}
	if policy.AnyAddress() || slices.Contains(policy.Gateways, gateway) {
		return success(context, "")
	}
	for _, address := range addresses {
		if !slices.ContainsFunc(policy.Prefixes, func(p netip.Prefix) bool { return p.Contains(address) }) {
			return failure(context, fmt.Sprintf("spec.sources admits neither the Service nor the address %s", address), "add the Service to spec.sources")
		}
	}
	return success(context, "")
}

// VerifyIngressGateway verifies that requests reach a Service through the ingress gateway of the mesh, whose Service is from: that of all Gateways, or of one
// that has pods of its own. Without a name, only the gateway is verified.
func VerifyIngressGateway(v *catalog.View, from string, service entity.Name) []diagnosis.Finding {
	resolved := gateway.Resolve(v)
	if names.IsDedicatedGateway(from) {
		resolved = gateway.ResolvePods(v, from)
	}
	checks := []diagnosis.Finding{verifyGatewayPods(v, from), verifyListeners(resolved)}
	if service.Name == "" {
		return checks
	}
	rules := rulesTo(resolved, service)
	checks = append(checks, verifyRoutes(rules, service))
	for _, port := range portsOf(rules, service) {
		checks = append(checks, verifyPermission(v, v.Service(service), port))
	}
	return checks
}

func verifyGatewayPods(v *catalog.View, from string) diagnosis.Finding {
	const context = "The ingress gateway of the mesh has pods that are ready"
	if len(v.Addresses(entity.Name{Namespace: v.Settings().Namespace, Name: from})) > 0 {
		return success(context, "")
	}
	var own []string
	for _, d := range gateway.DedicatedGateways(v) {
		own = append(own, fmt.Sprintf("%s/%s (Gateway %s)", v.Settings().Namespace, names.DedicatedGateway(d.Gateway.Name.Namespace, d.Gateway.Name.Name), d.Gateway.Name))
	}
	if from == names.IngressGateway && len(own) > 0 {
		return failure(context, "each Gateway has a Service of its own", "specify one with --from-service: "+strings.Join(own, ", "))
	}
	return failure(context, "no pod is ready", "set spec.ingressGateway.mode of the Mesh to Managed; if it is, osm check names the pods and what they wait for")
}

// verifyListeners verifies that the gateway serves at least one listener.
func verifyListeners(resolved gateway.Result) diagnosis.Finding {
	const context = "A Gateway has a listener in use"
	if len(resolved.Listeners) > 0 {
		return success(context, "")
	}
	var reasons []string
	for _, g := range resolved.Gateways {
		for _, l := range g.Listeners {
			reasons = append(reasons, strings.TrimSpace(fmt.Sprintf("listener %s of Gateway %s: %s %s", l.Name, g.Gateway.Name, l.Accepted.Message, l.ResolvedRefs.Message)))
		}
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "the mesh has no Gateway of its GatewayClass")
	}
	return failure(context, strings.Join(reasons, "; "), "create a Gateway, or correct its listeners")
}

// routedRule is a rule of the gateway that leads to a Service.
type routedRule struct {
	url  string
	rule gateway.Rule
}

// rulesTo returns the rules that lead to a Service.
func rulesTo(resolved gateway.Result, service entity.Name) []routedRule {
	var list []routedRule
	for _, l := range resolved.Listeners {
		for _, host := range l.Hosts {
			for _, rule := range host.Rules {
				if slices.ContainsFunc(rule.Backends, func(b gateway.Backend) bool { return b.Service != nil && b.Service.Name == service && b.Weight > 0 }) {
					list = append(list, routedRule{fmt.Sprintf("%s://%s:%d%s", l.Scheme(), host.Domain, l.Port, rule.Match.Path), rule})
				}
			}
		}
	}
	return list
}

func verifyRoutes(rules []routedRule, service entity.Name) diagnosis.Finding {
	context := fmt.Sprintf("An HTTPRoute leads to Service %q", service)
	var urls, unsupported []string
	for _, r := range rules {
		if r.rule.Rule.Unsupported != "" {
			unsupported = append(unsupported, r.url+": "+r.rule.Rule.Unsupported)
		} else {
			urls = append(urls, r.url)
		}
	}
	switch {
	case len(urls) > 0:
		return success(context, strings.Join(slices.Compact(urls), ", "))
	case len(unsupported) > 0:
		return failure(context, strings.Join(unsupported, "; "), "change the rule: the gateway answers its requests with 500")
	}
	return failure(context, "no rule of a listener in use has it as a backend", "create an HTTPRoute with the Service in backendRefs, and read the conditions in its status")
}

// portsOf returns the ports of a Service that rules use, sorted.
func portsOf(rules []routedRule, service entity.Name) []inventory.Port {
	var ports []inventory.Port
	for _, r := range rules {
		for _, b := range r.rule.Backends {
			if b.Service != nil && b.Service.Name == service && b.Weight > 0 && !slices.Contains(ports, b.Port) {
				ports = append(ports, b.Port)
			}
		}
	}
	slices.SortFunc(ports, func(a, b inventory.Port) int { return int(a.Number) - int(b.Number) })
	return ports
}

// verifyPermission verifies that the gateway may call a port of a Service. It is a client of the mesh like others.
func verifyPermission(v *catalog.View, service *inventory.Service, port inventory.Port) diagnosis.Finding {
	client := identity.ServiceAccount{Namespace: v.Settings().Namespace, Name: names.IngressGateway}
	context := fmt.Sprintf("Policies allow the ingress gateway to call port %d of Service %q", port.Number, service.Name)
	protocol, target := authz.EffectiveProtocol(v, service, port), v.TargetPort(service, port)
	accounts := v.ServiceIdentities(service.Name)
	var denied []string
	for _, account := range accounts {
		if !authz.MayConnect(v, client, account, target, protocol) {
			denied = append(denied, account.String())
		}
	}
	switch {
	case len(accounts) == 0:
		return failure(context, "the Service has no pods in the mesh", "start its pods, with sidecars")
	case len(denied) == len(accounts):
		return failure(context, "no TrafficTarget allows "+client.String()+" to call "+strings.Join(denied, ", "),
			fmt.Sprintf("osm explain %s/sa/%s to %s --remedy prints the policies that would allow it", client.Namespace, client.Name, service.Name))
	}
	return success(context, "")
}
