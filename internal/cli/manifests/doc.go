// Package manifests reads Kubernetes objects from files, and completes them to a mesh without a cluster.
//
// YAML and JSON flow in. Objects flow out. Complete adds what only a running cluster has: pods of workloads, their addresses, and
// endpoints.
package manifests
