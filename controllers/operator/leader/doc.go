// Package leader elects the active operator of a cluster.
//
// Its input is the Leases with which the replicas of each operator elect one of them. Its output is a lock that no replica acquires while an
// operator in another namespace is active: two active operators would undo each other's changes.
package leader
