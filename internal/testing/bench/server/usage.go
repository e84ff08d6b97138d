package server

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
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
		Mallocs: memory.Mallocs, Memory: memory.Sys - memory.HeapReleased, Resident: resident(),
	}
}

// resident returns the resident set size of the process.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
