// Package servertest tests the status of policies against a real API server.
//
// The tests of package status run without an API server.
package servertest
