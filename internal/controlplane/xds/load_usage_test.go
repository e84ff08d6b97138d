package xds

import (
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestReportedDestinationsAreUsed has a sidecar that loads on demand. It reports once in each connection, also while nobody reads, and what it reports is ready for
// the next pod of its account.
func TestReportedDestinationsAreUsed(t *testing.T) {
	m := newMesh()
	next := meshtest.Pod("a", "client-2", "client", "client", "10.0.0.3")
	m.client.OnDemand, next.OnDemand = true, true
	ranges := &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}}
	c := start(t, append(m.entries(), next, ranges)...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	r := c.reporter(t, token)
	c.connect(t, token, fakexds.NewEnvoy()).waitFor(t, fakexds.ListenerType, "outbound_80")
	response, err := r.stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if interval := response.GetLoadReportingInterval().AsDuration(); interval < 15*time.Minute || interval >= 25*time.Minute {
		t.Errorf("while nobody reads, the interval is %s", interval)
	}
	name := scope.OnDemandName(netip.MustParseAddrPort("10.96.0.1:80"))
	c.loads.Read()
	r.expectInterval(true)
	r.report(name, 1, 0)
	eventually.True(t, waitLimit, "the report of the sidecar is stored", func() bool { return len(c.loads.Read().Pairs) > 0 })
	c.connect(t, c.tokenOf(next), fakexds.NewEnvoy()).waitFor(t, fakexds.ClusterType, name)
}
