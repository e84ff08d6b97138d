package xds

import (
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

func TestLimitedLog_DropsLinesAboveTheBurst(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	logged, dropped := 0, 0
	logger := funcr.New(func(string, string) { logged++ }, funcr.Options{})
	log := newLimitedLog(logger, func() time.Time { return now }, func() { dropped++ })
	for range 1000 {
		log.info("rejected", "reason", "none")
	}
	if logged != logBurst || dropped != 1000-logBurst {
		t.Errorf("%d of 1000 lines were logged, %d dropped", logged, dropped)
	}
	now = now.Add(logInterval)
	log.info("rejected")
	if logged != logBurst+1 {
		t.Error("a later line is not logged")
	}
}

// TestThreat50RejectionsDoNotFillTheLog connects repeatedly with an invalid token.
func TestThreat50RejectionsDoNotFillTheLog(t *testing.T) {
	c := start(t)
	const connections = 3 * logBurst
	for range connections {
		conn, ctx := c.dial(t, "what")
		stream, err := newStream(ctx, conn)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
	}
	eventually.True(t, waitLimit, "every connection is rejected and counted", func() bool { return c.metric(t, "osm_proxy_rejected_count") == connections })
	if c.metric(t, "osm_proxy_rejected_unlogged_count") == 0 {
		t.Error("every rejection was logged")
	}
}
