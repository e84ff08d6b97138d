// Package peerfiles makes the objects by which two meshes declare each other, and agree on Services.
//
// Facts about a mesh and its gateway, and names of Services and peers, flow in. Objects flow out, for people to apply or commit.
package peerfiles
