// Package workloads defines the kinds that describe workloads: Namespaces, ServiceAccounts, Pods, Services and
// EndpointSlices.
//
// Its input is the name of the mesh. Its output is Sources for a Feed, and cache options that reduce the size of objects.
package workloads
