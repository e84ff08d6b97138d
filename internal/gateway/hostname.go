package gateway

import (
	"cmp"
	"strings"
)

// domainOf returns the domain of a hostname; "*" for an empty one.
func domainOf(hostname string) string { return cmp.Or(hostname, "*") }

// includes reports whether a hostname includes a domain: both are equal, or the hostname is a wildcard for it, or empty.
func includes(hostname, domain string) bool {
	hostname = domainOf(hostname)
	if hostname == "*" || hostname == domain {
		return true
	}
	suffix, wildcard := strings.CutPrefix(hostname, "*")
	return wildcard && strings.HasSuffix(strings.TrimPrefix(domain, "*"), suffix) && domain != "*"
}

// specificity orders hostnames: names before wildcards, longer before shorter ones.
func specificity(hostname string) int {
	switch {
	case hostname == "" || hostname == "*":
		return 0
	case strings.HasPrefix(hostname, "*"):
		return len(hostname)
	default:
		return 1000 + len(hostname)
	}
}

// commonHostnames returns the hosts that a listener and a route have in common. An empty name stands for all.
func commonHostnames(listener string, route []string) []string {
	if len(route) == 0 {
		return []string{listener}
	}
	var common []string
	for _, hostname := range route {
		switch {
		case includes(listener, hostname):
			common = append(common, hostname)
		case includes(hostname, listener):
			common = append(common, listener)
		}
	}
	return common
}
