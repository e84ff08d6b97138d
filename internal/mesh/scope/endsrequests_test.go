package scope_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEndsRequests checks which destinations have pods with sidecars of Open Service Mesh. The pod of v1 is also behind root.
func TestEndsRequests(t *testing.T) {
	headless := Service("shop", "headless", "v1", "10.96.0.9", 80, inventory.ProtocolHTTP)
	headless.ClusterIPs = nil
	tcp := Service("shop", "tcp", "v1", "10.96.0.8", 90, inventory.ProtocolTCP)
	earlier := Pod("shop", "v1-1", "v1", "v1", "10.0.0.3")
	earlier.Injected, earlier.OSMSidecar = false, true
	mesh := append(permissiveMesh(), headless, tcp, Slice(headless.Name, earlier))
	for name, test := range map[string]struct {
		entries []catalog.Entry
		want    []string
	}{
		"none":                        {nil, nil},
		"one of two pods":             {[]catalog.Entry{earlier}, []string{"root", "v1"}},
		"a backend of a TrafficSplit": {[]catalog.Entry{earlier, splitTo("s", "v2", 0, "v1")}, []string{"root", "v1", "v2"}},
	} {
		s := scope.Build(Apply(append(slices.Clone(mesh), test.entries...)...).View(), trustDomain, scope.Key{Identity: SA("shop", "client")})
		var got []string
		for _, out := range s.Outbound {
			if out.EndsRequests && !slices.Contains(got, out.Service.Name) {
				got = append(got, out.Service.Name)
			}
		}
		if len(s.Outbound) < 5 || !slices.Equal(got, test.want) {
			t.Errorf("%s: of %d destinations %v, want %v", name, len(s.Outbound), got, test.want)
		}
	}
}
