// Package heap gives memory back to the kernel once a burst of work is over.
//
// Go keeps about as much free memory as a process uses, for the next allocations. After all sidecars have connected, or all objects have been read, that is
// memory for work that does not come again soon. The input is the statistics of the Go runtime, the output is a collection.
package heap
