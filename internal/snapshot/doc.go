// Package snapshot keeps the configuration of all connected sidecars and decides what each of them is sent, and when.
//
// Catalog changes and workload certificates flow in through the Store; for each stream of a sidecar, delta discovery
// requests flow in and responses flow out, in an order that Envoy can apply without a gap.
//
// Three parts, each without knowledge of the next:
//   - contents: resources that are marshalled and hashed once and shared by all sidecars that hold equal ones;
//   - the Store: one goroutine that owns the catalog and rebuilds exactly the scopes and endpoints a change touches;
//   - the sequencer: the state machine of one stream, run by the stream's own goroutine, so that a slow sidecar delays
//     nobody else.
//
// What a sidecar rejects flows back: the sequencer finds out which resource is meant, and the Store withholds the newest policy
// behind it from that scope (quarantine.go, examine.go). Proxies, Policy and Rejections tell how far everybody is.
package snapshot
