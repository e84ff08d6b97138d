// Package enforcer makes the network of the local cluster enforce NetworkPolicies: it drops what they do not allow.
//
// Input: the NetworkPolicies, pods and namespaces of a cluster. Output: a table of nftables on the node where the program runs. Pods of other nodes are
// not isolated.
package enforcer
