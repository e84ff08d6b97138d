package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

func grpcRoute(name string, hostnames []string, rules ...catalog.HTTPRouteRule) *catalog.HTTPRoute {
	r := route(shop, name, hostnames, rules...)
	r.Kind = entity.KindGRPCRoute
	return r
}

// TestGRPCRoutesApplyToGRPC checks that the rules of GRPCRoutes come before those of HTTPRoutes with the same hostname, and match only requests of gRPC.
func TestGRPCRoutesApplyToGRPC(t *testing.T) {
	result := gateway.Resolve(mesh(
		gatewayOf("web", http("any", "")),
		route(shop, "a", nil, rule("/shop.Books/Buy", to(shop))),
		route(shop, "b", []string{"b.example"}, rule("/b", to(shop))),
		grpcRoute("a", nil, rule("/shop.Books", to(shop))),
	))
	var got []string
	for _, host := range result.Listeners[0].Hosts {
		text := host.Domain + ":"
		for _, r := range host.Rules {
			text += fmt.Sprintf(" %s%s%v", r.Route.Kind[:1], r.Match.Path, r.Match.Headers)
		}
		got = append(got, text)
	}
	const onlyGRPC = `[{content-type application/grpc(\+.*)? true}]`
	want := []string{
		"*: G/shop.Books" + onlyGRPC + " H/shop.Books/Buy[]",
		"b.example: H/b[] G/shop.Books" + onlyGRPC + " H/shop.Books/Buy[]",
	}
	if text := strings.Join(got, "\n"); text != strings.Join(want, "\n") {
		t.Errorf("hosts\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
}

// TestListenersAdmitKinds checks which kinds of routes attach to a listener whose allowedRoutes.kinds names some, and the status of the listener.
func TestListenersAdmitKinds(t *testing.T) {
	for name, test := range map[string]struct {
		kinds   []entity.Kind
		unknown bool
		// want are the supported kinds, the reason of ResolvedRefs, and the number of attached routes.
		want string
	}{
		"none named":      {nil, false, "[GRPCRoute HTTPRoute] ResolvedRefs 2"},
		"one":             {[]entity.Kind{entity.KindGRPCRoute}, false, "[GRPCRoute] ResolvedRefs 1"},
		"one and another": {[]entity.Kind{entity.KindHTTPRoute}, true, "[HTTPRoute] InvalidRouteKinds 1"},
		"only others":     {nil, true, "[] InvalidRouteKinds 0"},
	} {
		listener := http("a", "")
		listener.Kinds, listener.UnknownKinds = test.kinds, test.unknown
		result := gateway.Resolve(mesh(gatewayOf("web", listener), route(shop, "r", nil, rule("/", to(shop))), grpcRoute("r", nil, rule("/", to(shop)))))
		status := result.Gateways[0].Listeners[0]
		if got := fmt.Sprint(status.Kinds, " ", status.ResolvedRefs.Reason, " ", status.AttachedRoutes); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
