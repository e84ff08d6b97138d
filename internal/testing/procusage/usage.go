package procusage

import (
	"time"

	"github.com/prometheus/procfs"
)

// Usage is what processes have used so far.
type Usage struct {
	// CPU is the time of their threads, user and system.
	CPU time.Duration
	// Resident is their memory in bytes, Private that without pages of the program, and Peak the most that was resident.
	Resident, Private, Peak uint64
}

// Of returns the sum of several processes. It reads the time of threads, which is precise to nanoseconds: that of a process has a resolution of
// 10 ms. Threads that have ended do not count.
func Of(pids ...int) (Usage, error) {
	var sum Usage
	for _, pid := range pids {
		one, err := of(pid)
		if err != nil {
			return Usage{}, err
		}
		sum.CPU += one.CPU
		sum.Resident += one.Resident
		sum.Private += one.Private
		sum.Peak += one.Peak
	}
	return sum, nil
}

func of(pid int) (Usage, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, err
	}
	status, err := process.NewStatus()
	if err != nil {
		return Usage{}, err
	}
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return Usage{}, err
	}
	out := Usage{Resident: status.VmRSS, Private: status.RssAnon, Peak: status.VmHWM}
	for _, thread := range threads {
		schedule, err := thread.Schedstat()
		if err != nil {
			return Usage{}, err
		}
		out.CPU += time.Duration(schedule.RunningNanoseconds)
	}
	return out, nil
}
