package gateway

import (
	"cmp"
	"iter"
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

// keyOf identifies a hostname: a name as it is, "*.example" as ".example", and every host as "".
func keyOf(hostname string) string { return strings.TrimPrefix(hostname, "*") }

// wider returns the keys of the hostnames that include a domain, the most specific first. The first one is that of the domain itself.
func wider(domain string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := keyOf(domain); key != ""; {
			if !yield(key) {
				return
			}
			dot := strings.IndexByte(key[1:], '.')
			if dot < 0 {
				break
			}
			key = key[1+dot:]
		}
		yield("")
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
