package envoy_test

import (
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestSafeRequestsAreRepeated finds the filter in each configuration of the requests that a client sends to other sidecars, and in no other.
func TestSafeRequestsAreRepeated(t *testing.T) {
	checked := 0
	for name, s := range scopes(t) {
		for config, filters := range httpFilters(t, s) {
			toSidecars := strings.HasPrefix(config, "rds-outbound.") || strings.HasPrefix(config, "rds-gateway.") && !strings.HasPrefix(config, "rds-gateway.egress.")
			repeats := slices.Contains(filters, message.RepeatSafeFilter)
			if want := toSidecars && !s.Key.Class.OSM; repeats != want {
				t.Errorf("%s: requests of %s are repeated: %t, want %t", name, config, repeats, want)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d configurations were checked", checked)
	}
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

// TestSafeRequestsOfOpenServiceMesh have routes of their own: the Envoy of its sidecars does not have the filter.
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
