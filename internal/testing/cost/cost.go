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

// CheckLinear fails the test if an operation on an input that is larger by a factor takes much more than factor times as long.
func CheckLinear(t testing.TB, factor int, small, large func()) {
	t.Helper()
	short, long := fastest(small), fastest(large)
	if long > short*time.Duration(factor*tolerated) {
		t.Errorf("%v for the small input, and %v for one that is %d times as large", short, long, factor)
	}
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
