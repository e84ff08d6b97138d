// Package health observes the revisions of control planes for the gates of an upgrade.
//
// It reads the pods of a revision, and from the report API of each replica its sidecars: their rejections, certificates and failed
// requests. The result is an Observation. A part that could not be observed from every replica is absent, so a gate on it waits. For
// rotations, it reads from MeshPeers what other meshes acknowledge.
package health
