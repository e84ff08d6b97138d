package envoy_test

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// repeatingHosts are the virtual hosts with a route that repeats requests after a reset.
func repeatingHosts(s *scope.Scope) []string {
	var hosts []string
	for _, r := range envoy.Build(s) {
		config, _ := r.Message.(*routev3.RouteConfiguration)
		for _, host := range config.GetVirtualHosts() {
			if slices.ContainsFunc(host.GetRoutes(), func(route *routev3.Route) bool {
				return strings.HasSuffix(route.GetRoute().GetRetryPolicy().GetRetryOn(), ",reset")
			}) {
				hosts = append(hosts, host.GetName())
			}
		}
	}
	slices.Sort(hosts)
	return hosts
}

// A destination that is loaded on demand has a virtual host of its own then. Sidecars of Open Service Mesh repeat the same requests.
func TestResetRequestsAreRepeated(t *testing.T) {
	all := scopes(t)
	onDemand := all["outbound-on-demand"]
	if hosts := repeatingHosts(onDemand); len(hosts) > 0 {
		t.Errorf("%v repeat requests", hosts)
	}
	for i := range onDemand.Outbound {
		onDemand.Outbound[i].EndsRequests = onDemand.Outbound[i].Service.Name == "carts"
	}
	if hosts := repeatingHosts(onDemand); !slices.Equal(hosts, []string{"outbound_virtual-host|carts.shop.svc.cluster.local"}) {
		t.Errorf("%v repeat requests", hosts)
	}
	earlier := all["outbound-osm-servers"]
	if hosts := repeatingHosts(earlier); len(hosts) != 2 {
		t.Errorf("%v repeat requests", hosts)
	}
	earlier.Key.Class.OSM = true
	if hosts := repeatingHosts(earlier); len(hosts) != 2 {
		t.Errorf("%v of a sidecar of OSM repeat requests", hosts)
	}
}
