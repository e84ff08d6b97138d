package bench

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// What each connected sidecar may cost in mode policy, with its streams of discovery and of load reports on one connection.
const (
	// goroutinesEach: gRPC needs three for a connection, and one for each stream.
	goroutinesEach = 5
	// timersEach: gRPC needs three for a connection. The discovery stream has one, and the stream of load reports one for the expiry of its token.
	timersEach = 5
	// liveEach is the number of bytes of reachable objects, without stacks. It varies by 2%.
	liveEach = 56_000
	// liveSlack is how much more a change may cost before the limit must be set again.
	liveSlack = 0.08
)

// TestGoldenStreamCosts measures meshes of two sizes, so that only what each further sidecar costs counts.
func TestGoldenStreamCosts(t *testing.T) {
	const few, many = 100, 200
	less, more := connectSidecars(t, few), connectSidecars(t, many)
	time.Sleep(forgotten)
	before, after := less.child.do(t, command{Task: weigh}), more.child.do(t, command{Task: weigh})
	each := func(before, after int64) float64 { return float64(after-before) / (many - few) }
	if got := each(before.Goroutines, after.Goroutines); math.Round(got) != goroutinesEach {
		t.Errorf("each sidecar has %g goroutines, want %d", got, goroutinesEach)
	}
	if got := each(before.Timers, after.Timers); math.Round(got) != timersEach {
		t.Errorf("each sidecar has %g timers, want %d", got, timersEach)
	}
	got := each(before.Live, after.Live)
	t.Logf("each sidecar has %.0f bytes of reachable objects", got)
	if math.Abs(got-liveEach) > liveSlack*liveEach {
		t.Errorf("each sidecar has %.0f bytes of reachable objects, which differs from %d by more than %g%%: mend it, or set liveEach", got, liveEach, liveSlack*100)
	}
}

// forgotten is a time after which the runtime holds no stopped timers of new connections: the longest is for 15 seconds.
const forgotten = 17 * time.Second

// connectSidecars connects sidecars to a control plane, which the test ends.
func connectSidecars(t *testing.T, sidecars int) *session {
	t.Helper()
	s := newSession(t, shape{mesh.Policy, sidecars}, nil)
	s.setup.Profile = true
	s.sync()
	eventually.True(s, s.timeout(), "all sidecars have a stream of load reports", func() bool { return s.fleet.Traffic().Reporting })
	return s
}

// reachable returns the bytes of reachable objects, and the number of timers among them. It needs runtime.MemProfileRate 1, and a collection before.
func reachable() (bytes, timers int64) {
	const spare = 100
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, n+spare)
	n, _ = runtime.MemProfile(records, false)
	for _, record := range records[:n] {
		bytes += record.InUseBytes()
		if slices.ContainsFunc(record.Stack(), isTimer) {
			timers += record.InUseObjects()
		}
	}
	return bytes, timers
}

// isTimer reports whether a program counter is in the function that makes the timers of package time.
func isTimer(counter uintptr) bool {
	frame, _ := runtime.CallersFrames([]uintptr{counter}).Next()
	return strings.HasPrefix(frame.Function, "time.newTimer")
}
