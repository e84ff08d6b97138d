package xds

import (
	"slices"
	"testing"
	"time"

	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/protobuf/proto"

	book "github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// FuzzLoadReport stores any report of one sidecar. It concerns no other identity, and rates are numbers.
func FuzzLoadReport(f *testing.F) {
	for _, seed := range []*loadstats.LoadStatsRequest{
		{}, loadReport("a/server|80", 5, 1), loadReport("", 1<<63, 1<<63), loadReport("a/server|80\x00", 0, 0),
	} {
		text, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	client := identity.ServiceAccount{Namespace: "a", Name: "client"}
	f.Fuzz(func(t *testing.T, text []byte) {
		report := &loadstats.LoadStatsRequest{}
		if proto.Unmarshal(text, report) != nil {
			return
		}
		store := book.NewStore(func() time.Time { return time.Unix(1_800_000_000, 0) })
		_ = store.Read()
		loads := make([]book.Load, 0, len(report.GetClusterStats()))
		interval := time.Duration(0)
		for _, stats := range report.GetClusterStats() {
			interval = max(interval, stats.GetLoadReportInterval().AsDuration())
			loads = append(loads, loadOf(stats))
		}
		store.Register("uid", client, "").Report(loads, interval)
		pairs := store.Read().Pairs
		if slices.ContainsFunc(pairs, func(p book.Pair) bool {
			rate := p.Rate()
			return p.Client != client || rate != rate || rate < 0 || p.Over < 0 || p.Over > book.Window
		}) {
			t.Errorf("the report is stored as %+v, want pairs of client %s with a rate of at least 0, within the window", pairs, client)
		}
	})
}
