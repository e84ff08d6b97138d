package xds

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// slotNode returns the node of the Envoy in a slot.
func slotNode(slot string, epoch float64) *core.Node {
	return &core.Node{Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
		names.SlotMetadata: structpb.NewStringValue(slot), names.EpochMetadata: structpb.NewNumberValue(epoch),
	}}}
}

// TestTwoEnvoysOfAPod lets one Envoy take over from another. Both are pushed to and report loads, and each stream of load reports ends with the discovery
// stream of its Envoy.
func TestTwoEnvoysOfAPod(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(m.server)
	nodes := []*core.Node{slotNode(names.SidecarContainer, 1), slotNode(names.StandbyContainer, 2)}
	var envoys []*proxy
	var reporters []loadstats.LoadReportingService_StreamLoadStatsClient
	for _, node := range nodes {
		p := c.connectAs(t, token, fakexds.NewEnvoy(), node)
		p.waitReady(t)
		envoys = append(envoys, p)
		conn, ctx := c.dial(t, token)
		stream, err := loadstats.NewLoadReportingServiceClient(conn).StreamLoadStats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&loadstats.LoadStatsRequest{Node: node}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		reporters = append(reporters, stream)
	}
	c.apply(meshtest.Group("a", "routes", "/changed"))
	for _, p := range envoys {
		p.waitFor(t, fakexds.RouteType, "rds-inbound.80|a/server")
	}
	eventually.True(t, waitLimit, "both Envoys are complete", func() bool {
		list := c.store.Proxies()
		return len(list) == 2 && list[0].IsComplete && list[1].IsComplete
	})
	if list := c.store.Proxies(); list[0].Software.Slot != names.SidecarContainer || list[1].Software.Slot != names.StandbyContainer || list[1].Software.Epoch != 2 {
		t.Errorf("the Envoys are %+v and %+v", list[0].Software, list[1].Software)
	}
	if got := c.metric(t, "osm_proxy_connect_count"); got != 1 {
		t.Errorf("%v sidecars are counted, want one pod", got)
	}
	if got := c.loads.Read().Sidecars; got != 1 {
		t.Errorf("%d sidecars can report, want one pod", got)
	}
	envoys[0].cancel()
	for {
		if _, err := reporters[0].Recv(); err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the load reports of the Envoy that has drained ended with %v", err)
			}
			break
		}
	}
	if err := reporters[1].Send(loadReport("a/server|80", 3, 0)); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, waitLimit, "the report of the serving Envoy is stored", func() bool { return len(c.loads.Read().Pairs) == 1 })
	if list := c.store.Proxies(); len(list) != 1 || list[0].Software.Epoch != 2 {
		t.Errorf("connected are %+v, want the later Envoy", list)
	}
}

func TestEpochOf(t *testing.T) {
	for epoch, want := range map[float64]uint64{0: 0, 7: 7, 1 << 53: 1 << 53, -1: 0, 1.5: 0, math.Inf(1): 0, 1 << 60: 0} {
		if got := softwareOf(slotNode("other", epoch)); got.Epoch != want || got.Slot != "" {
			t.Errorf("epoch %v is read as %d, and the name of another container as slot %q", epoch, got.Epoch, got.Slot)
		}
	}
	if got := epochOf(slotNode("", math.NaN())); got != 0 {
		t.Errorf("no number is read as epoch %d", got)
	}
}

// TestRealEnvoysOfAPod runs two Envoys of one pod, which share its ports. Both acknowledge a revocation. The earlier one then ends.
func TestRealEnvoysOfAPod(t *testing.T) {
	m := newMesh()
	r := startReal(t, m.server, m.entries()...)
	r.run(t, "--config-yaml", fmt.Sprintf("{node: {metadata: {%s: %s, %s: 2}}, admin: {address: {pipe: {path: %q}}}}",
		names.SlotMetadata, names.StandbyContainer, names.EpochMetadata, filepath.Join(r.dir, "admin")))
	store := r.control.store
	eventually.True(t, 15*time.Second, "both Envoys have their configuration", func() bool {
		list := store.Proxies()
		return len(list) == 2 && list[0].IsComplete && list[1].IsComplete
	})
	if list := store.Proxies(); list[0].Software.Epoch != 0 || list[1].Software.Epoch != 2 || list[1].Software.Slot != names.StandbyContainer {
		t.Errorf("the Envoys are %+v and %+v", list[0].Software, list[1].Software)
	}
	group := meshtest.Group("a", "routes", "/other")
	r.control.apply(group)
	eventually.True(t, 15*time.Second, "both Envoys have acknowledged the change", func() bool {
		got, err := store.Policy(t.Context(), group.Ref())
		return err == nil && got.Proxies == 2 && got.Acknowledged == 2 && !got.CompletedAt.IsZero()
	})
	if len(store.Rejections()) > 0 {
		t.Errorf("quarantined: %v", store.Rejections())
	}
}
