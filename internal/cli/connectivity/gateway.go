package connectivity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// VerifyIngressGateway verifies that requests reach a Service through the ingress gateway of the mesh. Without a name, only the gateway is
// verified.
func VerifyIngressGateway(v *catalog.View, service catalog.Name) []Check {
	resolved := gateway.Resolve(v)
	checks := []Check{verifyGatewayPods(v), verifyListeners(resolved)}
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

func verifyGatewayPods(v *catalog.View) Check {
	const context = "The ingress gateway of the mesh has pods"
	if len(v.Addresses(catalog.Name{Namespace: v.Settings().Namespace, Name: names.IngressGateway})) == 0 {
		return failure(context, "no pod serves", "set spec.ingressGateway.mode of the Mesh to Managed, and read its condition with osm check")
	}
	return success("%s", context)
}

// verifyListeners verifies that the gateway serves at least one listener.
func verifyListeners(resolved gateway.Result) Check {
	const context = "A Gateway has a listener in use"
	if len(resolved.Listeners) > 0 {
		return success("%s", context)
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
func rulesTo(resolved gateway.Result, service catalog.Name) []routedRule {
	var list []routedRule
	for _, l := range resolved.Listeners {
		scheme := "http"
		if l.TLS {
			scheme = "https"
		}
		for _, host := range l.Hosts {
			for _, rule := range host.Rules {
				if slices.ContainsFunc(rule.Backends, func(b gateway.Backend) bool { return b.Service != nil && b.Service.Name == service && b.Weight > 0 }) {
					list = append(list, routedRule{fmt.Sprintf("%s://%s:%d%s", scheme, host.Domain, l.Port, rule.Match.Path), rule})
				}
			}
		}
	}
	return list
}

func verifyRoutes(rules []routedRule, service catalog.Name) Check {
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
		return success("%s: %s", context, strings.Join(slices.Compact(urls), ", "))
	case len(unsupported) > 0:
		return failure(context, strings.Join(unsupported, "; "), "change the rule: the gateway answers its requests with 500")
	}
	return failure(context, "no rule of a listener in use has it as a backend", "create an HTTPRoute with the Service in backendRefs, and read the conditions in its status")
}

// portsOf returns the ports of a Service that rules use, sorted.
func portsOf(rules []routedRule, service catalog.Name) []catalog.Port {
	var ports []catalog.Port
	for _, r := range rules {
		for _, b := range r.rule.Backends {
			if b.Service != nil && b.Service.Name == service && b.Weight > 0 && !slices.Contains(ports, b.Port) {
				ports = append(ports, b.Port)
			}
		}
	}
	slices.SortFunc(ports, func(a, b catalog.Port) int { return int(a.Number) - int(b.Number) })
	return ports
}

// verifyPermission verifies that the gateway may call a port of a Service. It is a client of the mesh like others.
func verifyPermission(v *catalog.View, service *catalog.Service, port catalog.Port) Check {
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
	return success("%s", context)
}
