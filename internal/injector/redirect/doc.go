// Package redirect redirects the TCP connections of a pod to its sidecar, with nftables rules in the pod's network
// namespace, for IPv4 and IPv6.
//
// Its input is a Config with the exclusions of the pod. Rules returns the rules as text, and Apply installs them in the
// kernel. The rules have the meaning and order of OSM's iptables rules. UDP and ICMP bypass the sidecar.
package redirect
