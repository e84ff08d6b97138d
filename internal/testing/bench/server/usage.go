package server

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// usage returns the resource usage of the process. Unavailable values are 0.
func usage() Answer {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // fails for a wrong argument only
	return Answer{
		At: time.Now().UnixNano(), CPU: used.Utime.Nano() + used.Stime.Nano(),
		Mallocs: memory.Mallocs, Memory: memory.Sys - memory.HeapReleased,
	}
}
