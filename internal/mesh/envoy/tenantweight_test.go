package envoy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// The largest configuration that the objects of one namespace can cause, in bytes as it is sent: in the sidecar of a client in another namespace, in
// one of its own sidecars, and in a gateway, which all namespaces share.
const (
	maxForeignBytes = 16 << 20
	maxOwnBytes     = 128 << 20
	maxGatewayBytes = 48 << 20
)

// draw returns a mesh with the objects of a tenant.
func draw(t *testing.T, seed uint64) *catalog.Catalog {
	t.Helper()
	d := &tenant{t: t, random: rand.New(rand.NewPCG(seed, 0)), entries: []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", EgressPolicies: true, IngressBackends: true, RetryPolicies: true, ActiveHealthChecks: seed%2 == 0},
		&catalog.Namespace{Name: evil, Monitored: true}, &catalog.Namespace{Name: "bank", Monitored: true},
		&catalog.GatewayClass{Name: "osm"}, &catalog.Service{Name: meshtest.Name("osm-system", names.IngressGateway), Ports: []catalog.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{Name: meshtest.Name(evil, "web"), Class: "osm", Listeners: []catalog.GatewayListener{{Name: "l", Port: 80, Protocol: "HTTP", From: "Same", Terminate: true}}},
	}}
	ports := d.one(10, 100, 1000)
	services := d.one(4, 40)
	d.services(services, ports, d.one(1, 15, 60))
	d.groups(d.one(1, 2))
	d.splits(d.one(1, 12), d.one(1, 16, min(256, services)))
	d.target(d.one(0, 2000))
	d.telemetry()
	d.setting(0)
	d.ingress(ports)
	d.egresses(d.one(1, 4))
	d.httpRoutes(d.one(2, 8), ports)
	return meshtest.Apply(d.entries...)
}

// sizeOf returns the bytes of the configuration of a scope, with its endpoints.
func sizeOf(c *catalog.Catalog, key scope.Key) (size int, summary string) {
	view := c.View()
	s := scope.Build(view, "cluster.local", key)
	types := map[string]int{}
	for _, resource := range envoy.Build(s) {
		types[resource.TypeURL] += proto.Size(resource.Message)
	}
	for _, cluster := range s.Clusters {
		types[envoy.EndpointType] += proto.Size(envoy.Endpoints(cluster.Name(), scope.BuildEndpoints(view, cluster.Endpoints)).Message)
	}
	for _, bytes := range types {
		size += bytes
	}
	return size, fmt.Sprintf("%d listeners, %d clusters, bytes by type: %v", len(s.Outbound)+len(s.Inbound), len(s.Clusters), types)
}

// TestTenantWeight draws objects of one namespace, each as large as the schemas and etcd permit, and checks the size of the configuration that results.
func TestTenantWeight(t *testing.T) {
	system := func(name string) identity.ServiceAccount { return meshtest.SA("osm-system", name) }
	for _, seed := range []uint64{2, 6, 9, 12} { // each reaches another bound
		c := draw(t, seed)
		keys := map[string]scope.Key{
			"a client elsewhere":  {Identity: meshtest.SA("bank", "client")},
			"the ingress gateway": {Identity: system(names.IngressGateway), Proxy: scope.ProxyIngressGateway},
			"the egress gateway":  {Identity: system(names.EgressGateway), Proxy: scope.ProxyEgressGateway},
		}
		if seed == 12 { // they need most of the time
			keys["an own client"] = scope.Key{Identity: meshtest.SA(evil, "client")}
			keys["an own server"] = scope.KeyOfServices(meshtest.SA(evil, "server"), c.View().ServicesOf(meshtest.SA(evil, "server")))
		}
		for name, key := range keys {
			size, summary := sizeOf(c, key)
			t.Logf("seed %d: %s: %d KiB: %s", seed, name, size>>10, summary)
			if maximum := maxBytes(key); size > maximum {
				t.Errorf("seed %d: the configuration of %s has %d bytes, more than %d: %s", seed, name, size, maximum, summary)
			}
		}
	}
}

// maxBytes returns the bound for a proxy.
func maxBytes(key scope.Key) int {
	switch {
	case key.Proxy != scope.ProxySidecar:
		return maxGatewayBytes
	case key.Identity.Namespace == evil:
		return maxOwnBytes
	}
	return maxForeignBytes
}
