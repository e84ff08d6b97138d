package datapath

import (
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// usage is what processes have used so far.
type usage struct {
	// cpu is their CPU time, user and system.
	cpu time.Duration
	// resident is their memory in bytes, and private that without pages of the program.
	resident, private uint64
}

// usageOf returns the usage of processes. PID 0 has none.
func usageOf(t testing.TB, pids ...int) usage {
	t.Helper()
	var sum usage
	for _, pid := range pids {
		if pid == 0 {
			continue
		}
		process, err := procfs.NewProc(pid)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := process.Stat()
		if err != nil {
			t.Fatal(err)
		}
		sum.cpu += time.Duration(stat.CPUTime() * float64(time.Second))
		status, err := process.NewStatus()
		if err != nil {
			t.Fatal(err)
		}
		sum.resident += status.VmRSS
		sum.private += status.RssAnon
	}
	return sum
}
