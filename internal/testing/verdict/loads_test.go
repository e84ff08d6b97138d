package verdict

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// deadPort is a port without an application.
const deadPort = 8099

// TestLoadReports_OfRealSidecars checks a real sidecar's load reports of successful and denied requests, and of requests to a stopped
// application. A denial is not a failure.
func TestLoadReports_OfRealSidecars(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	broken := Service("a", "s2", "x", virtualAddress(2).String(), 80, inventory.ProtocolHTTP)
	broken.Ports[0].TargetPort = deadPort
	n.Reset(t, podsOnly().with([]catalog.Change{
		catalog.Set(&catalog.Settings{}), catalog.Set(service), catalog.Set(broken), catalog.Set(Group("a", "g1", "/a")),
		catalog.Set(Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
		catalog.Set(Target("two", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
	}))
	const client, good, denied, failed = 3, 30, 10, 5 // the index of a pod with the third account
	const attempts = 3 * failed                       // a request that no application has seen is repeated twice
	ask := func(service byte, path string, times int) {
		t.Helper()
		for range times {
			n.send(Request{
				Pod: client, To: netip.AddrPortFrom(virtualAddress(service), 80), Method: "GET", Path: path,
				Headers: []authz.Header{{Name: ":authority", Value: "web"}},
			})
		}
	}
	// Envoy counts from the first response that requests reports, so a first report shows that requests from now on are counted.
	eventually.True(t, 4*loadstats.Interval, "all sidecars report", func() bool { return n.control.loads.Read().Reporting == len(pods) })
	ask(1, "/a", good)
	ask(1, "/denied", denied)
	ask(2, "/a", failed)
	want := map[string]loadstats.Counts{
		"a/s1|8080": {Issued: good + denied, Succeeded: good + denied}, "a/s2|8099": {Issued: attempts, Failed: attempts},
	}
	got := map[string]loadstats.Counts{}
	eventually.True(t, 4*loadstats.Interval, "the requests are reported", func() bool {
		for _, p := range n.control.loads.Read().Pairs {
			if p.Client == accounts[client-1] && p.Issued > 0 {
				got[p.Cluster] = p.Counts
			}
		}
		return got["a/s1|8080"].Issued+got["a/s2|8099"].Issued >= good+denied+attempts
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
