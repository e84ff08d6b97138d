// Package manifests reads Kubernetes objects from files, and completes them to a mesh that can be asked.
//
// YAML and JSON flow in; objects flow out. Complete adds what only a running cluster would have: pods of workloads, their
// addresses, and endpoints.
package manifests
