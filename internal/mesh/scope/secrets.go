package scope

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// HasUnreadSecrets reports whether a gateway refers to Secrets, or ConfigMaps with authorities, that were not read yet. One that does not exist was read.
func HasUnreadSecrets(v *catalog.View, proxy Proxy) bool {
	switch proxy {
	case ProxyIngressGateway:
		return slices.ContainsFunc(gateway.Certificates(v), func(name catalog.Name) bool { return v.GatewayCertificate(name) == nil }) ||
			slices.ContainsFunc(gateway.Authorities(v), func(name catalog.Name) bool { return v.GatewayAuthorities(name) == nil })
	case ProxyEgressGateway:
		return slices.ContainsFunc(v.GatewayEgresses(), func(e *catalog.Egress) bool {
			name, needed := e.Credential()
			return needed && v.EgressCredential(name) == nil
		})
	}
	return false
}

// unreadListener is a listener that lacks certificates or authorities, because a Secret or a ConfigMap was not read yet.
type unreadListener struct {
	GatewayListener
	resolved *gateway.Listener
}

// CarryCertificates lets listeners of the ingress gateway keep the certificates and the authorities of clients that they had, as long as their new Secrets
// and ConfigMaps were not read. Others without a certificate are not served. Nor are those with a new demand for certificates of clients.
func CarryCertificates(earlier, next *Scope) {
	if next.IngressGateway == nil {
		return
	}
	unread := next.IngressGateway.unread
	next.IngressGateway.unread = nil
	if earlier == nil || earlier.IngressGateway == nil {
		return
	}
	for _, l := range unread {
		i := slices.IndexFunc(earlier.IngressGateway.Listeners, func(was GatewayListener) bool {
			return was.Name == l.Name && was.Port == l.Port && was.Hostname == l.Hostname && len(was.Certificates) > 0 && (l.Clients == nil || was.Clients != nil)
		})
		if i >= 0 {
			next.IngressGateway.carry(earlier.IngressGateway, l, earlier.IngressGateway.Listeners[i])
		}
	}
}

// carry adds a listener with what it lacks from an earlier version, in the order of listeners.
func (g *IngressGateway) carry(earlier *IngressGateway, l unreadListener, was GatewayListener) {
	if len(l.Certificates) == 0 {
		l.Certificates = was.Certificates
	}
	g.Listeners = append(g.Listeners, l.GatewayListener)
	slices.SortStableFunc(g.Listeners, func(a, b GatewayListener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Hostname, b.Hostname))
	})
	g.addContents(l.resolved)
	for _, c := range earlier.Certificates {
		if slices.Contains(l.Certificates, c.Name) {
			g.addCertificate(c)
		}
	}
	for _, a := range earlier.Authorities {
		if l.Clients != nil && a.Name == l.Clients.Authorities {
			g.addAuthorities(a)
		}
	}
}

// addContents adds the certificates and the authorities of a listener that were read.
func (g *IngressGateway) addContents(l *gateway.Listener) {
	for _, c := range l.Certificates {
		g.addCertificate(GatewayCertificate{c.Name.String(), c.ChainPEM, c.KeyPEM})
	}
	if l.Clients != nil && !l.Clients.Unread {
		g.addAuthorities(GatewayAuthorities{gatewayAuthoritiesName(l), l.Clients.AuthoritiesPEM})
	}
}

func (g *IngressGateway) addCertificate(c GatewayCertificate) {
	if !slices.ContainsFunc(g.Certificates, func(other GatewayCertificate) bool { return other.Name == c.Name }) {
		g.Certificates = append(g.Certificates, c)
	}
}

func (g *IngressGateway) addAuthorities(a GatewayAuthorities) {
	if !slices.ContainsFunc(g.Authorities, func(other GatewayAuthorities) bool { return other.Name == a.Name }) {
		g.Authorities = append(g.Authorities, a)
	}
}

func gatewayAuthoritiesName(l *gateway.Listener) string {
	return fmt.Sprintf("%s|%d", l.Gateway, l.Port)
}
