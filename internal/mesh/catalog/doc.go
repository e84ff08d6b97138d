// Package catalog holds the mesh as plain data: namespaces, services, endpoints, pods, policies and their dependencies.
//
// Changes made of entries (from package ingest) flow in through Catalog.Apply, which returns the dependencies that they
// affect. Views flow out: reads of the data that record their dependencies. Whatever was built from a view must be rebuilt
// when one of its dependencies is affected. The package uses neither a Kubernetes client nor Envoy types.
//
// A Catalog and its views are not safe for concurrent use. Entries are immutable once they are in a change.
package catalog
