// Package peeroffers reads what the peers of a mesh offer to it.
//
// Reports of the control plane flow in, which has verified what peers said. Entries of a catalog flow out, as the control plane has them,
// and why nothing is known of a peer.
package peeroffers
