package verdict

import (
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/loadstats"
	"github.com/openservicemesh/osm-operator/internal/redirect/nstest"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLoadsOfRealSidecars counts what real sidecars report of requests that are answered and of requests that are denied: nothing
// as long as nobody reads, everything soon after.
func TestLoadsOfRealSidecars(t *testing.T) {
	n := NewNetwork(t)
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, catalog.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	n.Reset(t, justPods().with([]catalog.Change{
		catalog.Set(&catalog.Settings{}), catalog.Set(service), catalog.Set(Group("a", "g1", "/a")),
		catalog.Set(Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
		catalog.Set(Target("two", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
	}))
	const client, good, bad = 3, 30, 10 // the pod runs as the third account
	ask := func(path string, times int) {
		t.Helper()
		for range times {
			n.ask(Request{
				Pod: client, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "GET", Path: path,
				Headers: []authz.Header{{Name: ":authority", Value: "web"}},
			})
		}
	}
	nstest.Eventually(t, 20*time.Second, "all sidecars to be able to report", func() bool { return n.control.loads.Read().Sidecars == len(pods) })
	ask("/a", good)
	ask("/denied", bad)
	var got loadstats.Loads
	nstest.Eventually(t, 3*loadstats.Interval, "the requests to be reported", func() bool {
		got = n.control.loads.Read()
		return len(got.Pairs) > 0 && got.Pairs[0].Issued >= good
	})
	pair := got.Pairs[0]
	if pair.Client != accounts[client-1] || pair.Cluster != "a/s1|8080" || pair.Succeeded != good {
		t.Errorf("%+v", got.Pairs)
	}
	t.Logf("%+v", got)
}
