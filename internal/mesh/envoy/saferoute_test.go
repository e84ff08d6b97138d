package envoy_test

import (
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestGatewaysRepeatSafeRequests finds the filter in each configuration of the requests that an ingress gateway sends to sidecars, and in no other.
func TestGatewaysRepeatSafeRequests(t *testing.T) {
	checked := 0
	for name, s := range scopes(t) {
		for config, filters := range httpFilters(t, s) {
			want := strings.HasPrefix(config, "rds-gateway.") && !strings.HasPrefix(config, "rds-gateway.egress.")
			if repeats := slices.Contains(filters, message.RepeatSafeFilter); repeats != want {
				t.Errorf("%s: the requests of %s have the filter: %t, want %t", name, config, repeats, want)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d configurations were checked", checked)
	}
}

// TestSidecarsRepeatSafeRequests finds a route for requests without side effects before each route to other sidecars that does not repeat all requests, or none.
func TestSidecarsRepeatSafeRequests(t *testing.T) {
	checked := 0
	for name, s := range scopes(t) {
		for _, r := range envoy.Build(s) {
			config, _ := r.Message.(*routev3.RouteConfiguration)
			for _, host := range config.GetVirtualHosts() {
				var before *routev3.Route
				for _, route := range host.GetRoutes() {
					conditions := strings.Split(route.GetRoute().GetRetryPolicy().GetRetryOn(), ",")
					_, never := route.GetTypedPerFilterConfig()[message.RepeatSafeFilter]
					if strings.HasPrefix(r.Name, "rds-outbound.") && conditions[0] != "" && !never && !repeatsResets(conditions) {
						checked++
						if !isForSafeRequestsOf(before, route) {
							t.Errorf("%s: %s has no route for requests without side effects before %v", name, r.Name, route)
						}
					}
					before = route
				}
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d routes were checked", checked)
	}
}

func repeatsResets(conditions []string) bool {
	return slices.ContainsFunc(conditions, func(c string) bool { return c == "reset" || c == "5xx" || c == "gateway-error" })
}

// isForSafeRequestsOf reports whether the first route is the second for GET, HEAD, OPTIONS and TRACE, and repeats them after a reset too.
func isForSafeRequestsOf(safe, route *routev3.Route) bool {
	if safe.GetRoute().GetRetryPolicy() == nil {
		return false
	}
	same := proto.CloneOf(safe)
	headers := same.GetMatch().GetHeaders()
	method := headers[len(headers)-1]
	same.Match.Headers = headers[:len(headers)-1]
	on, resets := strings.CutSuffix(same.GetRoute().GetRetryPolicy().GetRetryOn(), ",reset")
	same.GetRoute().RetryPolicy.RetryOn = on
	return resets && method.GetName() == ":method" && method.GetStringMatch().GetSafeRegex().GetRegex() == "GET|HEAD|OPTIONS|TRACE" && proto.Equal(same, route)
}

// httpFilters returns the names of the HTTP filters by route configuration.
func httpFilters(t *testing.T, s *scope.Scope) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, r := range envoy.Build(s) {
		listener, _ := r.Message.(*listenerv3.Listener)
		for _, chain := range append(listener.GetFilterChains(), listener.GetDefaultFilterChain()) {
			for _, filter := range chain.GetFilters() {
				hcm := &hcmv3.HttpConnectionManager{}
				if filter.GetTypedConfig().UnmarshalTo(hcm) != nil || hcm.GetRds() == nil {
					continue
				}
				for _, f := range hcm.GetHttpFilters() {
					found[hcm.GetRds().GetRouteConfigName()] = append(found[hcm.GetRds().GetRouteConfigName()], f.GetName())
				}
			}
		}
	}
	return found
}

// TestSafeRequestsOfOpenServiceMesh have routes of their own too.
func TestSafeRequestsOfOpenServiceMesh(t *testing.T) {
	s := scopes(t)["outbound-safe-requests"]
	s.Key.Class.OSM = true
	var repeating []string
	for _, r := range envoy.Build(s) {
		config, _ := r.Message.(*routev3.RouteConfiguration)
		for _, host := range config.GetVirtualHosts() {
			for _, route := range host.GetRoutes() {
				if strings.HasSuffix(route.GetRoute().GetRetryPolicy().GetRetryOn(), ",reset") {
					repeating = append(repeating, host.GetName())
				}
			}
		}
	}
	slices.Sort(repeating)
	if want := []string{
		"outbound_virtual-host|books.shop.svc.cluster.local", "outbound_virtual-host|books.shop.svc.cluster.local", "outbound_virtual-host|stock.shop.svc.cluster.local",
	}; !slices.Equal(repeating, want) {
		t.Errorf("requests are repeated by %v, want %v", repeating, want)
	}
}
