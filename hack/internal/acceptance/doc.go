// Package acceptance tests a running local cluster from the view of its users: DNS over IPv4 and IPv6, exec, logs,
// port-forward, tokens, admission policies, sidecars, images by digest.
//
// Input: kubectl and a cluster. Output: one result per check. The test namespace is removed afterwards.
package acceptance
