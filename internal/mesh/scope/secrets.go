package scope

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// HasUnreadSecrets reports whether a gateway refers to Secrets that were not read yet. A Secret that does not exist was read.
func HasUnreadSecrets(v *catalog.View, proxy Proxy) bool {
	switch proxy {
	case ProxyIngressGateway:
		return slices.ContainsFunc(gateway.Certificates(v), func(name catalog.Name) bool { return v.GatewayCertificate(name) == nil })
	case ProxyEgressGateway:
		return slices.ContainsFunc(v.GatewayEgresses(), func(e *catalog.Egress) bool {
			name, needed := e.Credential()
			return needed && v.EgressCredential(name) == nil
		})
	}
	return false
}

// CarryCertificates lets listeners of the ingress gateway keep the certificates that they had, as long as their new Secrets were not read. Others without a
// certificate are not served.
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
			return was.Name == l.Name && was.Port == l.Port && was.Hostname == l.Hostname && len(was.Certificates) > 0
		})
		if i >= 0 {
			l.Certificates = earlier.IngressGateway.Listeners[i].Certificates
			next.IngressGateway.carry(earlier.IngressGateway, l)
		}
	}
}

// carry adds a listener with certificates of an earlier version, in the order of listeners.
func (g *IngressGateway) carry(earlier *IngressGateway, l GatewayListener) {
	g.Listeners = append(g.Listeners, l)
	slices.SortStableFunc(g.Listeners, func(a, b GatewayListener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Hostname, b.Hostname))
	})
	for _, name := range l.Certificates {
		isNamed := func(c GatewayCertificate) bool { return c.Name == name }
		if i := slices.IndexFunc(earlier.Certificates, isNamed); i >= 0 && !slices.ContainsFunc(g.Certificates, isNamed) {
			g.Certificates = append(g.Certificates, earlier.Certificates[i])
		}
	}
}
