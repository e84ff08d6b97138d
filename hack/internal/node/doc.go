// Package node starts and removes the one-node cluster.
//
// Input: assets, the address plan and the state folder. Output: a healthy cluster, or a machine without leftovers.
package node
