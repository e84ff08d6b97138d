package pods_test

import (
	"bufio"
	"net/http"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestGatewayBoundsConnections opens more connections to one port of an ingress gateway than it accepts. Clients of another port are served meanwhile.
func TestGatewayBoundsConnections(t *testing.T) {
	t.Parallel()
	// With 64 MiB a gateway accepts 1,024 connections, and three quarters of them for one port.
	const limit = 768
	n := pods.NewNetwork(t)
	config := n.Bootstrap("gateway")
	bootstrap.LimitGateway(config, bootstrap.GatewayLimits{Memory: 64 << 20, Listeners: []string{names.GatewayListener(80), names.GatewayListener(8080)}})
	gateway, client := n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{10080, 18080}}, config), n.Bare(t)
	gateway.Configure(t, &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}, Proxy: scope.ProxyIngressGateway},
			TrustDomain: "cluster.local",
		},
		IngressGateway: &scope.IngressGateway{Listeners: []scope.GatewayListener{
			{Name: "shop/web/a", Port: 80, Bind: 10080, Hosts: []scope.GatewayHost{{Domain: "*"}}}, {Name: "shop/web/b", Port: 8080, Bind: 18080, Hosts: []scope.GatewayHost{{Domain: "*"}}},
		}},
	})
	serves := func(port string) bool {
		conn, err := client.Dial(t, gateway.IP.String()+":"+port)
		if err != nil {
			return false
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusNotFound
	}
	held := 0
	for range limit + 20 {
		if serves("10080") {
			held++
		}
	}
	if held != limit {
		t.Errorf("the gateway holds %d connections of one port, want %d", held, limit)
	}
	if !serves("18080") {
		t.Error("a flood of one port keeps clients of another one out")
	}
}
