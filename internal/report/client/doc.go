// Package client collects the report of a mesh's control plane from all its replicas.
//
// The list of replicas, a token and the mesh's root certificate flow in; one Answer a replica flows out, and sums over them that
// say when they are not complete: a replica that does not answer is unknown, never zero.
package client
