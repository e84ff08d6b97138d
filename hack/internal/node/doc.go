// Package node brings the one-node cluster up and takes it down.
//
// In: assets, the address plan and the state folder. Out: a cluster that answers, or a machine as it was before.
package node
