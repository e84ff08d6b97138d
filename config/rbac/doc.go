// Package rbac holds the roles of the operator as YAML, and the tests that keep them exact.
//
// In flow the files beside it, written by hand; out flows nothing: config/default installs them.
package rbac
