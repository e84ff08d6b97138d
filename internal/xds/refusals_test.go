package xds

import (
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
)

// TestFewRefusalsAreLogged refuses many at once, and one later.
func TestFewRefusalsAreLogged(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	logged, unlogged := 0, 0
	logger := funcr.New(func(string, string) { logged++ }, funcr.Options{})
	r := newRefusals(logger, func() time.Time { return now }, func() { unlogged++ })
	for range 1000 {
		r.log("refused", "reason", "none")
	}
	if logged != refusalsBurst || unlogged != 1000-refusalsBurst {
		t.Errorf("%d lines for 1000 refusals at once, %d counted", logged, unlogged)
	}
	now = now.Add(refusalsEvery)
	r.log("refused")
	if logged != refusalsBurst+1 {
		t.Error("a later refusal is not logged")
	}
}

// TestThreat50RefusalsDoNotFillTheLog connects with a foreign token again and again.
func TestThreat50RefusalsDoNotFillTheLog(t *testing.T) {
	c := start(t)
	const connections = 3 * refusalsBurst
	for range connections {
		conn, ctx := c.dial(t, "what")
		stream, err := newStream(ctx, conn)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
	}
	waitUntil(t, func() bool { return c.metric(t, "osm_proxy_refused_count") == connections })
	if c.metric(t, "osm_proxy_refused_unlogged_count") == 0 {
		t.Error("every refusal was logged")
	}
}
