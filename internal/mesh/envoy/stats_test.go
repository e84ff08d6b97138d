package envoy

import (
	"os"
	"slices"
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestStatsAreDocumented compares the metrics of sidecars with docs/observability.md.
func TestStatsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range allStats() {
		if !strings.Contains(string(page), "`osm_"+s.name+"`") {
			t.Errorf("docs/observability.md does not describe osm_%s", s.name)
		}
	}
}

// TestStatsHaveNoUnboundedLabels rejects operators whose values a client or a pod chooses.
func TestStatsHaveNoUnboundedLabels(t *testing.T) {
	for _, s := range allStats() {
		for _, l := range s.labels {
			for _, operator := range []string{"REQ(", "RESP(", "PATH", "ADDRESS", "POD_NAME)", "DETAILS", "HOST", "SERVER_NAME"} {
				if strings.Contains(l.value, operator) {
					t.Errorf("the label %s of %s has the value %s", l.name, s.name, l.value)
				}
			}
		}
	}
}

// TestStatsAreLimited verifies that every logger of statistics has limits.
func TestStatsAreLimited(t *testing.T) {
	all := standardLoggers
	loggers := slices.Concat(all.outboundRequests, all.inboundRequests, all.outboundConnections, all.inboundConnections, all.outboundListener, all.inboundListener)
	limited := 0
	for _, logger := range loggers {
		if config := statsConfig(t, logger); config != nil {
			limited++
			if limits := config.GetStatsScope(); !proto.Equal(limits, ownStats) {
				t.Errorf("a logger has the limits %v, want %v", limits, ownStats)
			}
		}
	}
	if limited != 8 {
		t.Errorf("%d loggers of statistics, want 8", limited)
	}
}

// TestSharedStatsAreLimited verifies the limits of connection managers for many destinations. The golden files have those that use them.
func TestSharedStatsAreLimited(t *testing.T) {
	var found []*typev3.Scope
	for _, logger := range standardLoggers.sharedRequests {
		if config := statsConfig(t, logger); config != nil {
			found = append(found, config.GetStatsScope())
		}
	}
	want := &typev3.Scope{
		Prefix: "osm", MaxCounters: wrapperspb.UInt32(10_240), MaxHistograms: wrapperspb.UInt32(1_024), EnableEviction: true,
	}
	if len(found) != 1 || !proto.Equal(found[0], want) {
		t.Errorf("the limits are %v, want %v", found, want)
	}
	const seriesOfHistogram, samplesOfScrape = 22, 50_000
	if all := MaxSharedCounters + seriesOfHistogram*MaxSharedHistograms; all > samplesOfScrape {
		t.Errorf("one connection manager may have %d series, and a scrape fails above %d", all, samplesOfScrape)
	}
}

func statsConfig(t *testing.T, logger *accesslogv3.AccessLog) *statsv3.Config {
	t.Helper()
	config := &statsv3.Config{}
	if !logger.GetTypedConfig().MessageIs(config) {
		return nil
	}
	if err := logger.GetTypedConfig().UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	return config
}

func allStats() []stat {
	return slices.Concat(outboundRequestStats, inboundRequestStats, inboundRouteStats, outboundOpenedStats, outboundClosedStats, inboundOpenedStats,
		inboundClosedStats, inboundDeniedStats)
}
