package soak

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// census holds the counts that must not grow.
type census struct {
	// heap is the size of the reachable heap in bytes, and objects its number of objects.
	heap, objects uint64
	goroutines    int
	// series is the number of series of a scrape.
	series int
}

func (c census) String() string {
	return fmt.Sprintf("%.2f MB in %d objects, %d goroutines, %d series", float64(c.heap)/1e6, c.objects, c.goroutines, c.series)
}

// take takes a census after all garbage is collected. Objects released by cleanups are freed by the next collection.
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

// Allowed growth between two censuses, because pools and maps vary in size and a busy machine may not be idle yet. The short
// form detects a leak of 600 bytes or five objects in each step, the long form 55 bytes or one object in two steps.
const (
	spareBytes   = 96 << 10
	spareObjects = 800
	// spareSeries allows series of rare events, such as a failed response, one for each resource type. A leak of series with names
	// of sidecars, changes or policies would add hundreds.
	spareSeries = 12
)

// compare fails the test if a count has grown over a number of steps.
func compare(t *testing.T, before, after census, steps int) {
	t.Helper()
	t.Logf("before: %s", before)
	t.Logf("after %d steps: %s", steps, after)
	if grown := int64(after.heap) - int64(before.heap); grown > spareBytes {
		t.Errorf("the heap has grown by %d bytes in %d steps", grown, steps)
	}
	if grown := int64(after.objects) - int64(before.objects); grown > spareObjects {
		t.Errorf("the heap has %d more objects after %d steps", grown, steps)
	}
	if after.goroutines > before.goroutines {
		t.Errorf("goroutines: %d before, %d after", before.goroutines, after.goroutines)
	}
	if after.series > before.series+spareSeries {
		t.Errorf("metric series: %d before, %d after", before.series, after.series)
	}
}
