package envoy_test

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// bothGateways are the scopes of an ingress gateway with and without TLS, and of an egress gateway for requests and connections.
func bothGateways() map[string]*scope.Scope {
	ingress := gatewayWith(scope.GatewayListener{Name: "shop/web/a", Port: 80, Bind: 10080},
		scope.GatewayListener{Name: "shop/web/b", Port: 443, Bind: 10443, Hostname: "b.example", Certificates: []string{"shop/tls"}})
	ingress.Clusters = []scope.Cluster{{Service: entity.Name{Namespace: "shop", Name: "books"}, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}}
	egress := destinationWith(&catalog.EgressCredential{Name: entity.Name{Namespace: "shop", Name: "tls"}, AuthoritiesPEM: []byte("pem")})
	connections := scope.EgressDestination{}
	connections.Policy, connections.Host, connections.Port, connections.Protocol = entity.Name{Namespace: "shop", Name: "other"}, "api.example.com", 443, catalog.ProtocolHTTPS
	egress.EgressGateway.Destinations = append(egress.EgressGateway.Destinations, connections)
	return map[string]*scope.Scope{"ingress": ingress, "egress": egress}
}

// TestGatewaysLimitTheirClients checks that no handshake, no request, no idle connection and no buffer of a client is without a limit.
func TestGatewaysLimitTheirClients(t *testing.T) {
	for name, s := range bothGateways() {
		managers, handshakes, clusters := 0, 0, 0
		for _, r := range envoy.Build(s) {
			if c, ok := r.Message.(*clusterv3.Cluster); ok {
				if clusters++; c.GetPerConnectionBufferLimitBytes().GetValue() != 32<<10 {
					t.Errorf("%s: connections of the cluster %s buffer %d bytes", name, r.Name, c.GetPerConnectionBufferLimitBytes().GetValue())
				}
			}
			l, ok := r.Message.(*listenerv3.Listener)
			if !ok {
				continue
			}
			if l.GetPerConnectionBufferLimitBytes().GetValue() != 32<<10 {
				t.Errorf("%s: connections of %s buffer %d bytes", name, r.Name, l.GetPerConnectionBufferLimitBytes().GetValue())
			}
			for _, chain := range l.GetFilterChains() {
				if chain.GetTransportSocket() != nil {
					if handshakes++; chain.GetTransportSocketConnectTimeout().AsDuration() != 10*time.Second {
						t.Errorf("%s: a handshake of %s may take %s", name, chain.GetName(), chain.GetTransportSocketConnectTimeout().AsDuration())
					}
				}
				var hcm hcmv3.HttpConnectionManager
				if chain.GetFilters()[0].GetTypedConfig().UnmarshalTo(&hcm) != nil {
					continue // it forwards connections
				}
				managers++
				http2 := hcm.GetHttp2ProtocolOptions()
				idle := hcm.GetCommonHttpProtocolOptions().GetIdleTimeout().AsDuration()
				if hcm.GetRequestHeadersTimeout().AsDuration() != 10*time.Second || idle <= 0 || idle > time.Hour || hcm.GetStreamIdleTimeout().AsDuration() <= 0 ||
					http2.GetMaxConcurrentStreams().GetValue() != 100 || http2.GetInitialStreamWindowSize().GetValue() != 64<<10 || http2.GetInitialConnectionWindowSize().GetValue() != 1<<20 {
					t.Errorf("%s: requests of %s have the limits %v %v %v %v", name, chain.GetName(), hcm.GetRequestHeadersTimeout(), idle, hcm.GetStreamIdleTimeout(), http2)
				}
			}
		}
		if managers == 0 || handshakes == 0 || clusters == 0 {
			t.Errorf("%s: %d connection managers, %d handshakes and %d clusters were checked", name, managers, handshakes, clusters)
		}
	}
}
