// Package peers writes what users are told about peers: the status of MeshPeers, and that of the ServiceExports and ServiceImports with the label of a peer.
//
// The mesh as the mirror has it, and the state of the exchange with peers flow in. Status flows out, from the replica that has the Lease. The state of a peer
// causes no event, so MeshPeers are evaluated in an interval. ServiceImports are evaluated when the status of their MeshPeer changes.
package peers
