// Package soak tests a control plane over a long time for leaks.
//
// Its input is changes of the mesh that cancel each other out, and sidecars that connect and disconnect. It compares memory,
// goroutines and metric series before and after. `go test` runs a short form; `make soak` runs the long one in real time.
package soak
