package crd_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// meshPeer returns a MeshPeer in YAML, with a change of a valid spec: another value of a field, or none if the value is empty.
func meshPeer(name, field, value string) string {
	spec := map[string]string{
		"mesh": "osm", "trustDomain": "east.example.com", "trust": "{caBundle: '-----BEGIN CERTIFICATE-----'}", "gateways": "[{address: gateway.east.example.com}]",
	}
	if spec[field] = value; value == "" {
		delete(spec, field)
	}
	var fields []string
	for key, text := range spec {
		fields = append(fields, key+": "+text)
	}
	return "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: MeshPeer, metadata: {name: " + name + "}, spec: {" + strings.Join(fields, ", ") + "}}"
}

func testMeshPeer(t *testing.T, c client.Client) {
	with := func(field, value string) string { return meshPeer("east", field, value) }
	gateways := func(addresses ...string) string {
		var items []string
		for _, address := range addresses {
			items = append(items, "{address: '"+address+"'}")
		}
		return with("gateways", "["+strings.Join(items, ", ")+"]")
	}
	const mixed, noAddress = "spec.gateways has a DNS name and another gateway: write one DNS name, or IP addresses only", "which is no IP address and no DNS name"
	cases := []creation{
		{"with the required fields", with("mesh", "osm"), ""},
		{"longest name", meshPeer(strings.Repeat("p", 63), "mesh", "osm"), ""},
		{"name too long", meshPeer(strings.Repeat("p", 64), "mesh", "osm"), "cannot name a peer: it is the value of the label openservicemesh.io/peer"},
		{"name with a dot", meshPeer("east.example", "mesh", "osm"), `metadata.name "east.example" cannot name a peer`},
		{"without a mesh", with("mesh", ""), "spec.mesh: Required value"},
		{"without a trust domain", with("trustDomain", ""), "spec.trustDomain: Required value"},
		{"another trust domain", with("trustDomain", "East.Example"), `spec.trustDomain "East.Example" is not a trust domain: write a lowercase DNS name`},
		{"without trust", with("trust", ""), "spec.trust: Required value"},
		{"without roots", with("trust", "{follow: false}"), "spec.trust.caBundle: Required value"},
		{"roots without PEM", with("trust", "{caBundle: root}"), "write certificates as PEM text, with -----BEGIN CERTIFICATE-----"},
		{"roots that are too long", with("trust", "{caBundle: '-----BEGIN CERTIFICATE-----"+strings.Repeat("A", 64<<10)+"'}"), "spec.trust.caBundle: Too long"},
		{"declared roots only", with("trust", "{caBundle: '-----BEGIN CERTIFICATE-----', follow: false}"), ""},
		{"without gateways", with("gateways", ""), "spec.gateways: Required value"},
		{"no gateway", with("gateways", "[]"), "spec.gateways in body should have at least 1 items"},
		{"a port", with("gateways", "[{address: 192.0.2.7, port: 443}]"), ""},
		{"a port that is none", with("gateways", "[{address: 192.0.2.7, port: 65536}]"), "spec.gateways[0].port in body should be less than or equal to 65535"},
		{"without an address", with("gateways", "[{port: 443}]"), "spec.gateways[0].address: Required value"},
		{"two names", gateways("a.example", "b.example"), mixed},
		{"a name and an address", gateways("a.example", "192.0.2.7"), mixed},
		{"addresses of two families", gateways("192.0.2.7", "2001:db8::7"), ""},
		{"as many addresses as possible", gateways(numbered(16)...), ""},
		{"too many addresses", gateways(numbered(17)...), "spec.gateways: Too many: 17"},
	}
	for _, address := range []string{"localhost", "gateway.east.example.com", "a-1.b2", "10.0.0.1", "255.255.255.255", "::1", "2001:DB8::7", "::ffff:192.0.2.7"} {
		cases = append(cases, creation{address, gateways(address), ""})
	}
	for _, address := range []string{"256.0.0.1", "1.2.3", "1.2.3.4.", "Gateway.example", "-a.example", "a..b", "https://a.example", "a.example:443", "10.0.0.0/8", "*.example", "a_b"} {
		cases = append(cases, creation{address, gateways(address), noAddress})
	}
	checkCreations(t, c, cases)
}

// numbered returns different addresses.
func numbered(count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("192.0.2.%d", i))
	}
	return list
}
