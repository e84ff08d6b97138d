package gateway

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// maxOtherHosts is for how many hosts of other listeners, which its own hostname does not include, a listener has an answer each. With more, it answers for
// all hosts that it does not serve. The listeners of a namespace would otherwise have as many answers as pairs.
const maxOtherHosts = 16

// portListeners are the served listeners of a port.
type portListeners struct {
	// byKey has them by the keys of their hostnames.
	byKey map[string]*listenerState
	// byNamespace has the hostnames of listeners by the namespaces of their Gateways.
	byNamespace map[string][]string
	// unread has the keys of listeners that are not served yet.
	unread map[string]struct{}
	// within has the hostnames of listeners by the key of the most specific other one that includes them, and by those of unread ones that are more specific.
	// It is nil until all are added.
	within map[string][]string
}

func newPortListeners() *portListeners {
	return &portListeners{byKey: map[string]*listenerState{}, byNamespace: map[string][]string{}, unread: map[string]struct{}{}}
}

func (p *portListeners) add(gateway entity.Name, l *listenerState) {
	hostname := l.spec.Hostname
	p.byKey[keyOf(hostname)] = l
	p.byNamespace[gateway.Namespace] = append(p.byNamespace[gateway.Namespace], hostname)
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
// namespace. A domain includes those of more specific listeners. Clients with HTTP/2 send requests for all hosts of a certificate over one connection, and
// certificates are rarely shared by namespaces. All listeners of a port would be too many.
func (p *portListeners) misdirected(namespace string, l *listenerState) []string {
	outside := p.outside(namespace, l)
	if len(outside) > maxOtherHosts {
		outside = []string{"*"}
	}
	domains := slices.Concat(p.includedBy(l), outside)
	return lists.Unique(domains)
}

// includedBy returns the widest domains of other listeners that the hostname of a listener includes.
func (p *portListeners) includedBy(l *listenerState) []string {
	if p.within == nil {
		p.within = map[string][]string{}
		for own, other := range p.byKey {
			p.addWithin(own, other.spec.Hostname)
		}
	}
	return p.within[keyOf(l.spec.Hostname)]
}

func (p *portListeners) addWithin(own, hostname string) {
	for key := range wider(domainOf(hostname)) {
		_, unread := p.unread[key]
		served := p.byKey[key] != nil
		if key != own && (served || unread) {
			p.within[key] = append(p.within[key], hostname)
		}
		if key != own && served {
			return
		}
	}
}

// outside returns the domains of other listeners, of the namespace or with a hostname that includes that of the listener, which its own one does not include.
func (p *portListeners) outside(namespace string, l *listenerState) []string {
	own := keyOf(l.spec.Hostname)
	var domains []string
	for key := range wider(domainOf(l.spec.Hostname)) {
		if other := p.byKey[key]; other != nil && key != own {
			domains = append(domains, domainOf(other.spec.Hostname))
		}
	}
	for _, hostname := range p.byNamespace[namespace] {
		if domain := domainOf(hostname); !includes(l.spec.Hostname, domain) && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}
