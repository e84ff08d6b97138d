// Package network sets up the host side of the cluster network: the bridge that pods are attached to, its addresses and
// routes, and kernel settings.
//
// Input: the address plan. Output: a bridge, and settings whose earlier values are recorded in a file.
package network
