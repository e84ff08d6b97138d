// Package servertest tests with a real API server who may read a report, with the RBAC rules of the installed control plane. It only
// contains tests.
package servertest
