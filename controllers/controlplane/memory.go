package controlplane

import (
	"os"
	"runtime/debug"
)

// startGCPercent is the garbage collector's target while all objects are read: garbage may be half of what is kept. Afterwards Go's default
// applies.
const startGCPercent = 50

// limitStartMemory keeps the memory for reading the first lists small. The returned function ends that, and gives what is left over back to
// the system: it is as large as the mesh, and later changes are small. GOGC overrides both.
func limitStartMemory() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	usual := debug.SetGCPercent(startGCPercent)
	return func() {
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	}
}
