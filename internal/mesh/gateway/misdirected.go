package gateway

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// maxOtherHosts is for how many hosts of other listeners, which its own hostname does not include, a listener has an answer each. With more, it answers for
// all hosts that it does not serve. The listeners of a namespace would otherwise have as many answers as pairs.
const maxOtherHosts = 16

// portListener is a listener that has its port and hostname.
type portListener struct {
	namespace, hostname string
	// closed is true if it is not served, because it lacks a certificate or authorities of clients. unread is true if they were only not read yet.
	closed, unread bool
	// demands is true if clients need certificates.
	demands bool
}

// hasHosts reports whether its hosts are not those of a wider listener of a namespace. A listener that is not served keeps them: nobody gets a host because
// a Secret or a ConfigMap of somebody else fails, and no client is served without the certificate that is demanded.
func (l portListener) hasHosts(namespace string) bool {
	return !l.closed || l.demands || l.namespace != namespace
}

// portListeners are the listeners of a port.
type portListeners struct {
	// byKey has them by the keys of their hostnames.
	byKey map[string]portListener
	// byNamespace has the hostnames of served listeners by the namespaces of their Gateways.
	byNamespace map[string][]string
	// within has the hostnames of listeners by the key of the most specific other one that includes them, and by those of unread ones that are more specific.
	// It is nil until all are added.
	within map[string][]string
}

func newPortListeners() *portListeners {
	return &portListeners{byKey: map[string]portListener{}, byNamespace: map[string][]string{}}
}

// add adds a listener that has its port and hostname.
func (p *portListeners) add(gateway entity.Name, l *listenerState) {
	added := portListener{
		namespace: gateway.Namespace, hostname: l.spec.Hostname, closed: !l.isServed(), unread: l.isUnread(), demands: l.spec.Clients != nil,
	}
	p.byKey[keyOf(added.hostname)] = added
	if !added.closed {
		p.byNamespace[added.namespace] = append(p.byNamespace[added.namespace], added.hostname)
	}
}

// owns reports whether a domain belongs to a listener of a namespace: no other one with a more specific hostname includes it.
func (p *portListeners) owns(namespace string, l *listenerState, domain string) bool {
	for key := range wider(domain) {
		if key == keyOf(l.spec.Hostname) {
			return true
		}
		if other, exists := p.byKey[key]; exists && other.hasHosts(namespace) {
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
		for key, listener := range p.byKey {
			p.addWithin(key, listener)
		}
	}
	return p.within[keyOf(l.spec.Hostname)]
}

// addWithin adds the hostname of a listener to the most specific served one that includes it, and to more specific unread ones.
func (p *portListeners) addWithin(own string, l portListener) {
	for key := range wider(domainOf(l.hostname)) {
		other, exists := p.byKey[key]
		if key == own || !exists || other.closed && !other.unread {
			continue
		}
		if l.hasHosts(other.namespace) {
			p.within[key] = append(p.within[key], l.hostname)
		}
		if !other.closed {
			return
		}
	}
}

// outside returns the domains of other listeners, of the namespace or with a hostname that includes that of the listener, which its own one does not include.
func (p *portListeners) outside(namespace string, l *listenerState) []string {
	own := keyOf(l.spec.Hostname)
	var domains []string
	for key := range wider(domainOf(l.spec.Hostname)) {
		if other, exists := p.byKey[key]; exists && !other.closed && key != own {
			domains = append(domains, domainOf(other.hostname))
		}
	}
	for _, hostname := range p.byNamespace[namespace] {
		if domain := domainOf(hostname); !includes(l.spec.Hostname, domain) && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}
