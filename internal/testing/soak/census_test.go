package soak

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// census is what must not grow.
type census struct {
	// heap is the bytes that are reachable, and objects how many there are.
	heap, objects uint64
	goroutines    int
	// series is the number of series that a scrape brings.
	series int
}

func (c census) String() string {
	return fmt.Sprintf("%.2f MB in %d objects, %d goroutines, %d series", float64(c.heap)/1e6, c.objects, c.goroutines, c.series)
}

// take counts, after everything that can be collected has been: what cleanups let go is gone after the next collection.
func take(t *testing.T, metrics prometheus.Gatherer) census {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var c census
	for _, family := range families {
		c.series += len(family.GetMetric())
	}
	var memory runtime.MemStats
	for range 4 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // cleanups run in a goroutine of the runtime
	}
	runtime.ReadMemStats(&memory)
	c.heap, c.objects, c.goroutines = memory.HeapAlloc, memory.HeapObjects, runtime.NumGoroutine()
	return c
}

// What a census may have more than an earlier one, whatever has happened in between: pools and maps do not have the same size at
// all times, and a busy machine is still at work. The short form sees a step that leaves 600 bytes or five objects behind, the long
// one 55 bytes or one object in two steps.
const (
	spareBytes   = 96 << 10
	spareObjects = 800
	// spareSeries are of rare events, such as a response that could not be sent, one for each type of resources. Series with the
	// names of sidecars, changes or policies would be hundreds.
	spareSeries = 12
)

// compare fails when something has grown over a number of steps.
func compare(t *testing.T, before, after census, steps int) {
	t.Helper()
	t.Logf("before: %s", before)
	t.Logf("after %d steps: %s", steps, after)
	if grown := int64(after.heap) - int64(before.heap); grown > spareBytes {
		t.Errorf("the heap has grown by %d bytes in %d steps", grown, steps)
	}
	if grown := int64(after.objects) - int64(before.objects); grown > spareObjects {
		t.Errorf("%d more objects are held after %d steps", grown, steps)
	}
	if after.goroutines > before.goroutines {
		t.Errorf("%d goroutines have become %d", before.goroutines, after.goroutines)
	}
	if after.series > before.series+spareSeries {
		t.Errorf("%d series have become %d", before.series, after.series)
	}
}
