package scope

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// HasUnreadSecrets reports whether a gateway refers to Secrets, or ConfigMaps with authorities, that were not read yet. One that does not exist was read.
func HasUnreadSecrets(v *catalog.View, proxy Proxy) bool {
	switch proxy {
	case ProxyIngressGateway:
		return slices.ContainsFunc(gateway.Certificates(v), func(name entity.Name) bool { return v.GatewayCertificate(name) == nil }) ||
			slices.ContainsFunc(gateway.Authorities(v), func(name entity.Name) bool { return v.GatewayAuthorities(name) == nil })
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
	contents := newGatewayContents(next.IngressGateway)
	for _, l := range unread {
		i := slices.IndexFunc(earlier.IngressGateway.Listeners, func(was GatewayListener) bool {
			return was.Name == l.Name && was.Port == l.Port && was.Hostname == l.Hostname && len(was.Certificates) > 0 &&
				(l.Clients == nil || was.Clients != nil)
		})
		if i >= 0 {
			contents.carry(earlier.IngressGateway, l, earlier.IngressGateway.Listeners[i])
		}
	}
}

// carry adds a listener with what it lacks from an earlier version, in the order of listeners.
func (c gatewayContents) carry(earlier *IngressGateway, l unreadListener, was GatewayListener) {
	if len(l.Certificates) == 0 {
		l.Certificates = was.Certificates
	}
	c.gateway.Listeners = append(c.gateway.Listeners, l.GatewayListener)
	slices.SortStableFunc(c.gateway.Listeners, func(a, b GatewayListener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Hostname, b.Hostname))
	})
	c.add(l.resolved)
	for _, certificate := range earlier.Certificates {
		if slices.Contains(l.Certificates, certificate.Name) {
			c.addCertificate(certificate)
		}
	}
	for _, authorities := range earlier.Authorities {
		if l.Clients != nil && authorities.Name == l.Clients.Authorities {
			c.addAuthorities(authorities)
		}
	}
}

// gatewayContents adds certificates and authorities to a gateway, each once.
type gatewayContents struct {
	gateway                   *IngressGateway
	certificates, authorities map[string]struct{}
}

// newGatewayContents returns the contents that a gateway has.
func newGatewayContents(g *IngressGateway) gatewayContents {
	c := gatewayContents{g, map[string]struct{}{}, map[string]struct{}{}}
	for i := range g.Certificates {
		c.certificates[g.Certificates[i].Name] = struct{}{}
	}
	for i := range g.Authorities {
		c.authorities[g.Authorities[i].Name] = struct{}{}
	}
	return c
}

// add adds what was read for a listener.
func (c gatewayContents) add(l *gateway.Listener) {
	for _, certificate := range l.Certificates {
		c.addCertificate(GatewayCertificate{certificate.Name.String(), certificate.ChainPEM, certificate.KeyPEM})
	}
	if l.Clients != nil && !l.Clients.Unread {
		c.addAuthorities(GatewayAuthorities{gatewayAuthoritiesName(l), l.Clients.AuthoritiesPEM})
	}
}

func (c gatewayContents) addCertificate(certificate GatewayCertificate) {
	if _, known := c.certificates[certificate.Name]; !known {
		c.certificates[certificate.Name] = struct{}{}
		c.gateway.Certificates = append(c.gateway.Certificates, certificate)
	}
}

func (c gatewayContents) addAuthorities(authorities GatewayAuthorities) {
	if _, known := c.authorities[authorities.Name]; !known {
		c.authorities[authorities.Name] = struct{}{}
		c.gateway.Authorities = append(c.gateway.Authorities, authorities)
	}
}

func gatewayAuthoritiesName(l *gateway.Listener) string {
	return fmt.Sprintf("%s|%d", l.Gateway, l.Port)
}
