// Package peering defines what two meshes exchange: which Services a mesh offers to a peer, the records that describe them, and what a record of a peer means.
//
// Views of the catalog flow in, and offers flow out, which become records. Records of a peer flow in, and entries of the catalog flow out. Transport and
// signatures are in internal/controlplane/peering.
package peering
