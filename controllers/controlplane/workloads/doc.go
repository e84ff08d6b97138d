// Package workloads names the kinds that say where workloads run: namespaces, service accounts, pods, Services and their
// endpoints.
//
// Nothing but the mesh's name flows in; Sources flow out, for a Feed, and the cache options that keep their objects small.
package workloads
