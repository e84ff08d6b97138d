package heap

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// Interval is how often the heap is examined. A burst is over when a whole interval was quiet.
	Interval = 5 * time.Second
	// quietShare is the share of the live heap that a quiet interval allocates at most.
	quietShare = 0.05
	// unusedShare is the share of the live heap that must be unused, and unusedBytes the number of bytes: a collection costs in proportion to the live heap.
	unusedShare, unusedBytes = 0.25, 8 << 20
)

// usage is the state of the heap, in bytes.
type usage struct {
	// allocated counts since the start of the process.
	allocated uint64
	// live was reachable at the last collection.
	live uint64
	// unused is resident, but not reachable.
	unused uint64
}

// ReturnUnused gives unused memory back to the kernel after each burst of allocations, until ctx ends. It returns nil.
func ReturnUnused(ctx context.Context) error {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	returnUnused(ctx, ticker.C, read, debug.FreeOSMemory)
	return nil
}

// returnUnused examines the heap at each tick.
func returnUnused(ctx context.Context, ticks <-chan time.Time, read func() usage, release func()) {
	last := read()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		now := read()
		if isDue(last, now) {
			release()
			now = read()
		}
		last = now
	}
}

// isDue reports whether nothing happens any more, and enough is unused.
func isDue(last, now usage) bool {
	live := float64(now.live)
	return float64(now.allocated-last.allocated) <= quietShare*live && now.unused >= unusedBytes && float64(now.unused) >= unusedShare*live
}

// read returns the present usage of the process.
func read() usage {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	allocated, live, objects, free := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()
	garbage := objects - min(objects, live)
	return usage{allocated: allocated, live: live, unused: free + garbage}
}
