package journeys

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// routeGroup returns an HTTPRouteGroup. Its matches have the form "<name>=<regular expression>".
func routeGroup(namespace, name string, matches ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: %s, namespace: %s}\nspec:\n  matches:\n", name, namespace)
	for _, match := range matches {
		name, path, _ := strings.Cut(match, "=")
		fmt.Fprintf(&b, "  - {name: %s, pathRegex: %q, methods: [GET]}\n", name, path)
	}
	return b.String() + "---\n"
}

// tcpRoute returns a TCPRoute with ports.
func tcpRoute(namespace, name string, ports ...int) string {
	list := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(ports), "[]")), ", ")
	return fmt.Sprintf("apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: %s, namespace: %s}\nspec: {matches: {ports: [%s]}}\n---\n", name, namespace, list)
}

// grant describes a TrafficTarget.
type grant struct {
	// namespace is the namespace of the object and, by default, of the destination.
	namespace, name, destination, destinationNamespace string
	// source has the form "<namespace>/<service account>".
	source string
	// rules have the form "<HTTPRouteGroup>", "<HTTPRouteGroup>:<match>" or "tcp:<TCPRoute>".
	rules []string
}

func (g grant) String() string {
	if g.destinationNamespace == "" {
		g.destinationNamespace = g.namespace
	}
	sourceNamespace, source, _ := strings.Cut(g.source, "/")
	var rules []string
	for _, rule := range g.rules {
		first, second, qualified := strings.Cut(rule, ":")
		switch {
		case first == "tcp":
			rules = append(rules, fmt.Sprintf("{kind: TCPRoute, name: %s}", second))
		case qualified:
			rules = append(rules, fmt.Sprintf("{kind: HTTPRouteGroup, name: %s, matches: [%s]}", first, second))
		default:
			rules = append(rules, fmt.Sprintf("{kind: HTTPRouteGroup, name: %s}", first))
		}
	}
	return fmt.Sprintf(`apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %s, namespace: %s}
spec:
  destination: {kind: ServiceAccount, name: %s, namespace: %s}
  sources: [{kind: ServiceAccount, name: %s, namespace: %s}]
  rules: [%s]
---
`, g.name, g.namespace, g.destination, g.destinationNamespace, source, sourceNamespace, strings.Join(rules, ", "))
}

// split returns a TrafficSplit. Its backends have the form "<service>=<weight>".
func split(namespace, name, service string, backends ...string) string {
	var list []string
	for _, backend := range backends {
		service, weight, _ := strings.Cut(backend, "=")
		list = append(list, fmt.Sprintf("{service: %s, weight: %s}", service, weight))
	}
	return fmt.Sprintf("apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: %s, namespace: %s}\nspec: {service: %s, backends: [%s]}\n---\n",
		name, namespace, service, strings.Join(list, ", "))
}

// applyPolicies applies policies.
func applyPolicies(t *testing.T, manifests ...string) {
	t.Helper()
	lab.Must(t, cluster.Put(t.Context(), strings.Join(manifests, "")))
}

// deletePolicies deletes policies.
func deletePolicies(t *testing.T, manifests ...string) {
	t.Helper()
	lab.Must(t, cluster.Remove(t.Context(), strings.Join(manifests, "")))
}
