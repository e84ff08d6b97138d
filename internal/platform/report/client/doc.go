// Package client collects the reports of all control plane replicas of a mesh.
//
// The list of replicas, a token and the mesh's root certificate flow in. One Answer per replica flows out, and sums over them. A replica
// that does not respond is reported as unknown, never as zero.
package client
