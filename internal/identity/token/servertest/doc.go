// Package servertest proves with a real API server that its tokens are verified and its keys are read. It holds tests alone.
package servertest
