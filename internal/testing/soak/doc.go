// Package soak lets a control plane live for long and looks at what has grown.
//
// Changes of the mesh that lead nowhere, and sidecars that come and go, flow in; memory, goroutines and series before and after
// flow out. `go test` runs a short form as fast as sidecars acknowledge; `make soak` the long one in real time.
package soak
