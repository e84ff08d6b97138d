package envoy_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/tenant"
)

// The largest configuration that the objects of one namespace can cause, in bytes as it is sent: in the sidecar of a client in another namespace, in
// one of its own sidecars, and in a gateway, which all namespaces share.
const (
	maxCrossNamespaceBytes = 16 << 20
	maxOwnBytes            = 128 << 20
	maxGatewayBytes        = 48 << 20
)

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
		c := meshtest.Apply(tenant.Draw(seed)...)
		keys := map[string]scope.Key{
			"a client elsewhere":  {Identity: meshtest.SA("bank", "client")},
			"the ingress gateway": {Identity: system(names.IngressGateway), Proxy: scope.ProxyIngressGateway},
			"the egress gateway":  {Identity: system(names.EgressGateway), Proxy: scope.ProxyEgressGateway},
		}
		if seed == 12 { // they need most of the time
			keys["an own client"] = scope.Key{Identity: meshtest.SA(tenant.Namespace, "client")}
			keys["an own server"] = scope.KeyOfServices(meshtest.SA(tenant.Namespace, "server"), c.View().ServicesOf(meshtest.SA(tenant.Namespace, "server")))
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
	case key.Identity.Namespace == tenant.Namespace:
		return maxOwnBytes
	}
	return maxCrossNamespaceBytes
}
