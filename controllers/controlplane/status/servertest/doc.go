// Package servertest writes the status of policies to a real API server.
//
// It holds tests alone, apart from those of package status, which need no server.
package servertest
