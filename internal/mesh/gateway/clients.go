package gateway

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Clients is what a listener demands of the certificates of clients.
type Clients struct {
	// AuthoritiesPEM are the authorities that issue them. They are empty if Unread is true.
	AuthoritiesPEM []byte
	// Unread is true if a ConfigMap was not read yet.
	Unread bool
	// AllowInvalid admits clients without a certificate, or with that of another authority.
	AllowInvalid bool
}

// clientsState is what is known about the authorities of a listener.
type clientsState struct {
	pem []byte
	// unread is true if a ConfigMap was not read yet, and invalid if no reference can be used.
	unread, invalid bool
}

// resolveClients joins the authorities of clients of a listener. An unusable reference removes its authorities only: fewer clients are admitted.
func (r *resolver) resolveClients(g *catalog.Gateway, l *listenerState) {
	demand := l.spec.Clients
	if demand == nil {
		return
	}
	if demand.OtherAuthorities != "" {
		l.status.ResolvedRefs = no(gatewayv1.ListenerReasonInvalidCACertificateKind, "caCertificateRefs of spec.tls.frontend refers to %s: refer to a ConfigMap.", demand.OtherAuthorities)
	} else if len(demand.Authorities) == 0 {
		l.status.ResolvedRefs = no(gatewayv1.ListenerReasonInvalidCACertificateRef, "caCertificateRefs of spec.tls.frontend is empty: refer to a ConfigMap with the key ca.crt.")
	}
	var list []byte
	for _, name := range demand.Authorities {
		authorities, verdict := r.authorities(g.Name.Namespace, name)
		switch {
		case verdict.OK && authorities == nil:
			// A part of the authorities would reject clients that all of them admit.
			l.clients.unread = true
			verdict = no(gatewayv1.ListenerReasonInvalidCACertificateRef, "The ConfigMap %s has not been read yet.", name)
		case verdict.OK && len(list)+len(authorities.PEM) > catalog.MaxAuthoritiesBytes:
			verdict = no(ReasonTooManyAuthorities, "The authorities of the listener have more than %d bytes with those of the ConfigMap %s, which are not used: use fewer.",
				catalog.MaxAuthoritiesBytes, name)
		}
		if !verdict.OK {
			l.status.ResolvedRefs = verdict
			continue
		}
		list = append(list, authorities.PEM...)
	}
	if !l.clients.unread {
		l.clients.pem, l.clients.invalid = list, len(list) == 0
	}
}

// authorities returns those of a ConfigMap, or why they cannot be used. They are nil before they were read.
func (r *resolver) authorities(namespace string, name entity.Name) (*catalog.GatewayAuthorities, Verdict) {
	if !mayUse(r.view, namespace, configMapKind, name) {
		return nil, no(gatewayv1.ListenerReasonRefNotPermitted, "No ReferenceGrant in the namespace %s permits Gateways of the namespace %s to use the ConfigMap %s.",
			name.Namespace, namespace, name.Name)
	}
	if _, within := authoritiesByNamespace(r.view)[namespace][name]; !within {
		return nil, no(ReasonTooManyAuthorities, "The Gateways of namespace %s refer to more than %d ConfigMaps with authorities, so this one is not read: %s.",
			namespace, MaxAuthorities, name.Name)
	}
	authorities := r.view.GatewayAuthorities(name)
	if authorities != nil && authorities.Problem != "" {
		return nil, no(gatewayv1.ListenerReasonInvalidCACertificateRef, "%s", authorities.Problem)
	}
	return authorities, yes(gatewayv1.ListenerReasonResolvedRefs)
}
