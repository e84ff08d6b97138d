// Package redirect sends the TCP connections of a pod through its sidecar, with nftables rules in the pod's own network
// namespace, for IPv4 and IPv6.
//
// A Config flows in: what stays out. The rules flow out, as text for people and tests (Rules) and into the kernel
// (Apply). They keep the meaning and the order of OSM's iptables rules; UDP and ICMP pass by the sidecar.
package redirect
