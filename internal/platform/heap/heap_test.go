package heap

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

const mib = 1 << 20

// TestIsDue names the reasons for and against a collection.
func TestIsDue(t *testing.T) {
	for name, test := range map[string]struct {
		allocated, live, unused uint64
		want                    bool
	}{
		"after a burst":                      {mib, 100 * mib, 80 * mib, true},
		"during a burst":                     {50 * mib, 100 * mib, 80 * mib, false},
		"little is unused":                   {mib, 100 * mib, 20 * mib, false},
		"a small process":                    {0, 4 * mib, 4 * mib, false},
		"much is unused, more is live":       {mib, 1000 * mib, 200 * mib, false},
		"small changes in a large mesh":      {40 * mib, 1000 * mib, 600 * mib, true},
		"nothing was ever collected":         {0, 0, 80 * mib, true},
		"allocates before a collection ever": {mib, 0, 80 * mib, false},
	} {
		if got := isDue(usage{allocated: 7}, usage{allocated: 7 + test.allocated, live: test.live, unused: test.unused}); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestReturnsOnceAfterEachBurst checks that a process collects once after a burst, and not again.
func TestReturnsOnceAfterEachBurst(t *testing.T) {
	now, released := usage{live: 100 * mib}, 0
	ctx, cancel := context.WithCancel(t.Context())
	ticks, grown := make(chan time.Time, 1), []uint64{0, 60 * mib, 60 * mib, mib, mib, mib, 60 * mib, mib, mib}
	// The heap grows before each look. One look follows a release.
	look, follows := 0, false
	read := func() usage {
		if follows {
			follows = false
			return now
		}
		if look == len(grown) {
			cancel()
			return now
		}
		now.allocated += grown[look]
		now.unused += grown[look]
		look++
		ticks <- time.Time{}
		return now
	}
	returnUnused(ctx, ticks, read, func() { released++; now.unused, follows = 0, true })
	if released != 2 || now.unused > 2*mib {
		t.Errorf("memory was returned %d times, want once after each of two bursts; %d bytes are unused", released, now.unused)
	}
}

// allocate makes blocks of one MiB that nobody uses afterwards.
func allocate(blocks int) {
	burst := make([][]byte, blocks)
	for i := range burst {
		burst[i] = make([]byte, mib)
	}
	runtime.KeepAlive(burst)
}

// TestUnusedMemoryIsReturned checks with the real runtime that memory is counted as unused after its use, and that the kernel gets it.
func TestUnusedMemoryIsReturned(t *testing.T) {
	debug.FreeOSMemory()
	before := read()
	allocate(64)
	if after := read(); !isDue(after, after) || after.allocated-before.allocated < 64*mib {
		t.Fatalf("64 MiB of garbage do not count: before %+v, after %+v", before, after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan time.Time)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		returnUnused(ctx, ticks, read, debug.FreeOSMemory)
	}()
	ticks <- time.Time{}
	ticks <- time.Time{} // the first one has been handled
	if now := read(); now.unused > before.unused+16*mib {
		t.Errorf("%d bytes are still unused, %d before", now.unused, before.unused)
	}
	cancel()
	<-ended
}
