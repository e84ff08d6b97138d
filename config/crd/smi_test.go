package crd_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// smi returns an object of a Service Mesh Interface kind in YAML. The spec is one line in flow style.
func smi(apiVersion, kind, namespace, spec string) string {
	return "{apiVersion: " + apiVersion + ", kind: " + kind + ", metadata: {name: x, namespace: " + namespace + "}, spec: " + spec + "}"
}

func trafficTarget(namespace, spec string) string {
	return smi("access.smi-spec.io/v1alpha3", "TrafficTarget", namespace, spec)
}

func trafficSplit(version, spec string) string {
	return smi("split.smi-spec.io/"+version, "TrafficSplit", "in-mesh", spec)
}

func testSMI(t *testing.T, c client.Client) {
	routes := func(spec string) string {
		return smi("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", "in-mesh", spec)
	}
	tcp := func(spec string) string { return smi("specs.smi-spec.io/v1alpha4", "TCPRoute", "in-mesh", spec) }
	regex := func(length int) string {
		return routes("{matches: [{name: a, pathRegex: " + strings.Repeat("a", length) + "}]}")
	}
	checkCreations(t, c, []creation{
		{"target with all rules", trafficTarget("in-mesh", `{destination: {kind: ServiceAccount, name: a, namespace: in-mesh}, sources: [{kind: ServiceAccount, name: b, namespace: other}], rules: [{kind: HTTPRouteGroup, name: r, matches: [m]}, {kind: TCPRoute, name: t}, {kind: UDPRoute, name: u}]}`), ""},
		{"target without rules and sources", trafficTarget("in-mesh", "{destination: {kind: ServiceAccount, name: a, namespace: in-mesh}}"), ""},
		{"target without destination", trafficTarget("in-mesh", "{sources: []}"), "spec.destination: Required value"},
		{"target with an unknown kind of rule", trafficTarget("in-mesh", "{destination: {kind: ServiceAccount, name: a, namespace: in-mesh}, rules: [{kind: GRPCRoute, name: r}]}"), `Unsupported value: "GRPCRoute"`},

		{"routes with headers as a list", routes(`{matches: [{name: a, pathRegex: "/buy.*", methods: ["*"], headers: [{user-agent: ".*"}, {host: bookstore}]}]}`), ""},
		{"routes with headers as one object", routes(`{matches: [{name: a, methods: [GET, POST], headers: {user-agent: ".*"}}]}`), ""},
		{"routes without a name", routes("{matches: [{pathRegex: /}]}"), "spec.matches[0].name: Required value"},
		{"routes with an unknown method", routes("{matches: [{name: a, methods: [get]}]}"), `Unsupported value: "get"`},
		{"routes with the longest regex", regex(1024), ""},
		{"routes with a regex too long", regex(1025), "pathRegex has 1025 characters: use at most 1024"},

		{"TCP route", tcp("{matches: {name: a, ports: [1, 65535]}}"), ""},
		{"TCP route without ports", tcp("{matches: {}}"), ""},
		{"TCP route with a list", tcp("{matches: [{ports: [1]}]}"), "spec.matches"},
		{"TCP route with port 0", tcp("{matches: {ports: [0]}}"), "spec.matches.ports has 0, which is not a port: use a number from 1 to 65535"},
		{"TCP route with a port too high", tcp("{matches: {ports: [65536]}}"), "spec.matches.ports has 65536"},
	})
	for _, version := range []string{"v1alpha2", "v1alpha4"} {
		t.Run("TrafficSplit "+version, func(t *testing.T) { testTrafficSplit(t, c, version) })
	}
}

func testTrafficSplit(t *testing.T, c client.Client, version string) {
	const zero = "spec.backends of root: total weight is 0: give at least one backend a weight above 0"
	checkCreations(t, c, []creation{
		{"weights", trafficSplit(version, "{service: root, backends: [{service: a, weight: 0}, {service: b, weight: 100}]}"), ""},
		{"for some requests", trafficSplit(version, "{service: root, backends: [{service: a, weight: 1}], matches: [{apiGroup: specs.smi-spec.io, kind: HTTPRouteGroup, name: r}]}"), ""},
		{"total 0", trafficSplit(version, "{service: root, backends: [{service: a, weight: 0}, {service: b, weight: 0}]}"), zero},
		{"no weight", trafficSplit(version, "{service: root, backends: [{service: a}]}"), zero},
		{"negative", trafficSplit(version, "{service: root, backends: [{service: a, weight: -1}, {service: b, weight: 2}]}"), "weight -1 of a is out of range: use a whole number from 0 to 1000000"},
		{"too heavy", trafficSplit(version, "{service: root, backends: [{service: a, weight: 1000001}]}"), "weight 1000001 of a is out of range"},
		{"a fraction", trafficSplit(version, "{service: root, backends: [{service: a, weight: 0.5}]}"), "spec.backends[0].weight"},
		{"empty backends", trafficSplit(version, "{service: root, backends: []}"), "spec.backends is empty: name at least one Service that receives the traffic of root"},
		{"no backends", trafficSplit(version, "{service: root}"), "spec.backends is empty"},
		{"no service", trafficSplit(version, "{backends: [{service: a, weight: 1}]}"), "spec.service: Required value"},
	})
}
