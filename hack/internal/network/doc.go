// Package network is the machine's side of the cluster network: the bridge that pods are attached to, its addresses and routes,
// and the kernel settings that let packets pass.
//
// In: the address plan. Out: a bridge that is removed as a whole, and settings whose former values are kept in a file.
package network
