package scope_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestNumberOfANamedPortChangesDuringARollout has pods of two versions, which give different numbers to the port that a Service names.
func TestNumberOfANamedPortChangesDuringARollout(t *testing.T) {
	withPort := func(name, ip string, number uint16) *inventory.Instance {
		pod := Pod("a", name, "server", "server", ip)
		pod.Ports = map[string]uint16{"http": number}
		return pod
	}
	older, newer, newest := withPort("1", "10.0.0.1", 8080), withPort("2", "10.0.0.2", 9090), withPort("3", "10.0.0.3", 9090)
	service := Service("a", "server", "server", "172.0.0.1", 80, inventory.ProtocolHTTP)
	service.Ports[0].Name, service.Ports[0].TargetPort, service.Ports[0].TargetName = "web", 0, "http"
	slices := []*inventory.EndpointSlice{Slice(service.Name, older), Slice(service.Name, newer, newest)}
	slices[0].Ports, slices[1].Ports = map[string]uint16{"web": 8080}, map[string]uint16{"web": 9090}
	slices[1].Name.Name = "server-2"
	client := Pod("a", "client", "client", "client", "10.0.0.9")
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, older, newer, newest, client, service, slices[0], slices[1],
		Group("a", "routes", "/x"), Target("t", older.Identity(), []catalog.TargetRule{HTTP("routes")}, client.Identity()))
	for pod, want := range map[*inventory.Instance]uint16{older: 8080, newer: 9090} {
		s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), pod))
		if len(s.Inbound) != 1 || s.Inbound[0].TargetPort != want {
			t.Errorf("pod %s has the inbound ports %+v, want %d", pod.Name, s.Inbound, want)
		}
	}
	if scope.KeyFor(c.View(), newer) != scope.KeyFor(c.View(), newest) {
		t.Error("pods with equal ports do not share a scope")
	}
	clusters := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), client)).Clusters
	if len(clusters) != 1 {
		t.Fatalf("the client has the clusters %+v, want one", clusters)
	}
	got := scope.BuildEndpoints(c.View(), scope.EndpointsKey{Service: service.Name, TargetPort: clusters[0].TargetPort}).Addresses
	want := []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.1:8080"), netip.MustParseAddrPort("10.0.0.2:9090"), netip.MustParseAddrPort("10.0.0.3:9090"),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("the client's endpoints differ (-want +got):\n%s", diff)
	}
	before := scope.KeyFor(c.View(), older)
	c.Apply([]catalog.Change{{Ref: older.Ref()}})
	if number := c.View().TargetPort(service, service.Ports[0]); number != 9090 || before == scope.KeyFor(c.View(), newer) {
		t.Errorf("after the rollout the number is %d, want 9090", number)
	}
}
