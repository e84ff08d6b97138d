// Package delta is the server side of one incremental xDS stream.
//
// Delta requests of a client and changes of its Snapshot flow in; delta responses flow out in an order that Envoy can apply
// without traffic loss: additions in the order of resource.Type, removals after everything that referred to them, and clusters that
// connections may still use 30 seconds later (order.go). Rejected
// resources flow to the owner of the stream.
//
// Parts:
//   - sequencer: the state machine. It does no I/O and has no lock.
//   - Session: runs the state machine on the stream's goroutine.
//   - Stream: hands changes over from the Store's goroutine. A slow client never blocks it.
package delta
