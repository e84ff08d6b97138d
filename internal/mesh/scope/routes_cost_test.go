package scope_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRoutesOfAServiceAreResolvedInLinearWork checks that what depends on all routes of a Service is not read again for each of them.
func TestRoutesOfAServiceAreResolvedInLinearWork(t *testing.T) {
	const size, factor = 20, 20
	work := func(n int) float64 {
		pod := Pod("a", "server", "server", "server", "10.0.0.1")
		service := Service("a", "server", "server", "172.0.0.1", 80, inventory.ProtocolHTTP)
		entries := []catalog.Entry{&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod)}
		for i := range n {
			entries = append(entries, &catalog.HTTPRoute{
				Kind: entity.KindHTTPRoute, Name: Name("a", fmt.Sprint("route-", i)), Parents: []catalog.RouteParent{{Service: service.Name}},
				Rules: []catalog.HTTPRouteRule{{
					Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: fmt.Sprint("/", i)}},
					Backends: []catalog.RouteBackend{{Service: service.Name, Port: 80, Weight: 1}},
				}},
			})
		}
		v := Apply(entries...).View()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := scope.Build(v, trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
		runtime.ReadMemStats(&after)
		if len(s.Outbound) == 0 {
			t.Fatal("the Service is not reachable")
		}
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	if growth := work(size*factor) / work(size); growth > 2*factor {
		t.Errorf("%d times as many routes need %.0f times the memory", factor, growth)
	}
}
