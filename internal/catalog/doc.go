// Package catalog is the mesh as plain data: namespaces, services, endpoints, pods and policies, and who depends on what.
//
// Changes made of entries (from ingest) flow in through Catalog.Apply, which answers with the dependencies they touched. Views
// flow out: reads of the data that remember what they read, so that whoever built something from a view can be told exactly
// when to build it again. The package knows no Kubernetes client and no Envoy type.
//
// A Catalog and its views belong to one goroutine; nothing here locks. Entries are immutable once they are in a change.
package catalog
