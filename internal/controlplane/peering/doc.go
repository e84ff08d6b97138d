// Package peering is the stream between the control planes of two meshes, by which each learns what the other exports to it.
//
// Views of the catalog and the records of peers flow in. Records for peers and changes of the catalog flow out. What records contain is defined in
// internal/mesh/peering. The protocol is that of incremental xDS, so that only changes are sent, also after a reconnection.
//
// Parts:
//   - registry: the peers and the roots that are trusted for each.
//   - publisher: the records for each peer, computed when their dependencies change.
//   - Server and session: the streams of peers.
//   - Client and importer: the streams to peers. What a peer has said remains until it says something else, also while it is away.
//
// Each record has a signature of the control plane that made it, so a stored copy can be stale and not forged. The certificate of the signature must be valid
// when a record arrives on a stream. For a stored copy it must have been valid when the record was signed, as certificates live for a day and a peer may be
// away for longer; its root must be trusted at the time of the verification.
package peering
