package cost

import (
	"syscall"
	"testing"
	"time"
)

const (
	// attempts is how often each operation is measured. The fastest one counts, because other processes only make it slower.
	attempts = 5
	// tolerated is how much more than linear the growth may be: large inputs do not fit into the caches of the processor.
	tolerated = 4
)

// Linear is a benchmark of an operation on an input, and on one that is larger by a factor. It fails if the larger one takes much more than factor
// times as long. The metric "growth" is 1 for linear growth, and factor for quadratic growth.
func Linear(b *testing.B, factor int, small, large func()) {
	b.Helper()
	short, long := fastest(small), fastest(large)
	growth := growthOf(short, long, factor)
	for b.Loop() {
		large()
	}
	b.ReportMetric(growth, "growth")
	if growth > tolerated {
		b.Errorf("%v for the small input, and %v for one that is %d times as large", short, long, factor)
	}
}

// growthOf is how much more than linear the time grows with an input that is larger by a factor.
func growthOf(short, long time.Duration, factor int) float64 {
	return float64(long) / float64(short) / float64(factor)
}

// fastest measures the processor time of an operation.
func fastest(operation func()) time.Duration {
	var best time.Duration
	for range attempts {
		began := processorTime()
		operation()
		if elapsed := processorTime() - began; best == 0 || elapsed < best {
			best = elapsed
		}
	}
	return max(best, time.Microsecond)
}

// processorTime is that of the process. Unlike the time of day, it does not include the time of other processes.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // RUSAGE_SELF is valid
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
