package verdict

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// Ports of the pod outside the mesh.
const (
	outsidePort    = 8088
	authorizerPort = 9191
)

// allowAll is an authorization server that allows every request.
type allowAll struct {
	authv3.UnimplementedAuthorizationServer
}

func (allowAll) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{}, nil
}

// serveOutside runs an HTTP server and an authorization server outside the mesh.
func serveOutside(t *testing.T, n *Network) {
	t.Helper()
	address := n.outside.IP.String()
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(podHeader, "outside") })}
	listener := n.outside.NS.Listen(t, nstest.Address(address, outsidePort))
	go func() { _ = web.Serve(listener) }()
	t.Cleanup(func() { _ = web.Close() })
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, allowAll{})
	authorizations := n.outside.NS.Listen(t, nstest.Address(address, authorizerPort))
	go func() { _ = server.Serve(authorizations) }()
	t.Cleanup(server.Stop)
}

// TestOutside_EditsFailNoRequest changes Egresses and external authorization under a load of about 200 requests a second. Both versions
// allow each request, so each must reach its server. The Egress with http is removed while all destinations outside the mesh are allowed: if only
// a range allowed them, the next request on an open connection would fail.
func TestOutside_EditsFailNoRequest(t *testing.T) {
	n := newNetwork(t, 2*responseTimeout, len(pods))
	serveOutside(t, n)
	mesh := flippingMesh()
	settings := func(egress bool, server *catalog.ExternalAuthorization) catalog.Change {
		return catalog.Set(&catalog.Settings{Egress: egress, EgressPolicies: true, ExternalAuthorization: server})
	}
	server := func(timeout time.Duration) *catalog.ExternalAuthorization {
		return &catalog.ExternalAuthorization{Address: n.outside.IP.String(), Port: authorizerPort, StatPrefix: "auth", Timeout: timeout}
	}
	policy := func(name string, ports []catalog.EgressPort, prefixes ...netip.Prefix) catalog.Change {
		return catalog.Set(&catalog.Egress{
			Name: Name("a", name), Sources: []identity.ServiceAccount{accounts[0]}, Hosts: []string{n.outside.IP.String()}, Ports: ports, Prefixes: prefixes,
		})
	}
	web, bytes := []catalog.EgressPort{{Number: outsidePort, Protocol: inventory.ProtocolHTTP}}, []catalog.EgressPort{{Number: outsidePort, Protocol: inventory.ProtocolTCP}}
	range32 := netip.PrefixFrom(n.outside.IP, n.outside.IP.BitLen())
	n.Reset(t, mesh.with([]catalog.Change{settings(true, nil)}))
	host := fmt.Sprintf("%s:%d", n.outside.IP, outsidePort)
	requests := []Request{
		webRequest("/a"),
		{Pod: 0, To: netip.AddrPortFrom(n.outside.IP, outsidePort), Method: "GET", Path: "/a", Headers: []authz.Header{{Name: ":authority", Value: host}}},
	}
	l := n.startLoad(requests)
	for i := range 10 {
		for _, changes := range [][]catalog.Change{
			{policy("host", web)},
			{settings(false, server(responseTimeout))},
			{policy("range", bytes, range32)},
			{settings(true, server(time.Duration(i+1)*responseTimeout))},
			{{Ref: entity.Ref{Kind: entity.KindEgress, Name: Name("a", "host")}}},
			{{Ref: entity.Ref{Kind: entity.KindEgress, Name: Name("a", "range")}}},
			{settings(true, nil)},
		} {
			before := n.State
			n.State = before.with(changes)
			n.control.apply(changesBetween(before, n.State))
			if problem := n.waitAcknowledged(); problem != "" {
				t.Fatal(problem)
			}
		}
	}
	l.round()
	samples := l.end()
	for _, s := range samples {
		if !slices.Contains([]string{"outside", "p1:8080", "p2:8080", "p3:8080"}, s.seen) {
			t.Errorf("%s saw %q", requests[s.request], s.seen)
		}
	}
	t.Logf("%d requests during the edits", len(samples))
}

func changesBetween(before, after State) []catalog.Change {
	return changes(before.entries(), after.entries())
}
