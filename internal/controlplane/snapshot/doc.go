// Package snapshot is the cache of xDS resources: the snapshot of each scope in use, and the streams that it is served to.
//
// Catalog changes and workload certificates flow in through the Store. Its goroutine owns the catalog and rebuilds exactly the
// scopes and endpoints that depend on a change. Changed resource names flow out to the affected streams.
//
// Subpackages:
//   - resource: immutable, content-addressed resources;
//   - delta: the protocol of one stream, run by the stream's own goroutine;
//   - quarantine: from a NACK to the policy that caused it;
//   - status: acknowledgements of proxies and policies, and traces of changes.
package snapshot
