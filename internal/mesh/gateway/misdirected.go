package gateway

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// portListeners are the served listeners of a port.
type portListeners struct {
	// byKey has them by the keys of their hostnames.
	byKey map[string]*listenerState
	// below has the hostnames of listeners by the keys of all less specific hostnames, and byNamespace by the namespaces of their Gateways.
	below, byNamespace map[string][]string
}

func newPortListeners() *portListeners {
	return &portListeners{byKey: map[string]*listenerState{}, below: map[string][]string{}, byNamespace: map[string][]string{}}
}

func (p *portListeners) add(gateway catalog.Name, l *listenerState) {
	hostname := l.spec.Hostname
	p.byKey[keyOf(hostname)] = l
	p.byNamespace[gateway.Namespace] = append(p.byNamespace[gateway.Namespace], hostname)
	for key := range wider(domainOf(hostname)) {
		if key != keyOf(hostname) {
			p.below[key] = append(p.below[key], hostname)
		}
	}
}

// owns reports whether a domain belongs to a listener: no other one with a more specific hostname includes it.
func (p *portListeners) owns(l *listenerState, domain string) bool {
	for key := range wider(domain) {
		if key == keyOf(l.spec.Hostname) {
			return true
		}
		if p.byKey[key] != nil {
			return false
		}
	}
	return false
}

// misdirected returns the domains of other listeners, sorted: those whose hostnames include that of the listener or are included by it, and all of its
// namespace. Clients with HTTP/2 send requests for all hosts of a certificate over one connection, and certificates are rarely shared by namespaces. All
// listeners of a port would be too many.
func (p *portListeners) misdirected(namespace string, l *listenerState) []string {
	own := keyOf(l.spec.Hostname)
	var domains []string
	for _, hostname := range slices.Concat(p.below[own], p.byNamespace[namespace]) {
		if keyOf(hostname) != own {
			domains = append(domains, domainOf(hostname))
		}
	}
	for key := range wider(domainOf(l.spec.Hostname)) {
		if other := p.byKey[key]; other != nil && key != own {
			domains = append(domains, domainOf(other.spec.Hostname))
		}
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}
