package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// addGateway checks what the listeners of a Gateway refer to. Others decide whether they are accepted.
func (r *resolver) addGateway(g *catalog.Gateway) {
	state := &gatewayState{gateway: g, withoutEffect: r.withoutEffect(g)}
	r.gateways = append(r.gateways, state)
	r.byName[g.Name] = state
	for _, spec := range g.Listeners {
		l := &listenerState{spec: spec, bind: r.ports[spec.Port]}
		l.status = ListenerStatus{Name: spec.Name, Kinds: spec.RouteKinds(), ResolvedRefs: yes(gatewayv1.ListenerReasonResolvedRefs)}
		if spec.UnknownKinds {
			l.status.ResolvedRefs = no(gatewayv1.ListenerReasonInvalidRouteKinds, "allowedRoutes.kinds has a kind that listeners of this protocol do not support: use %s.", kindNames(l.spec.Protocol))
		}
		if !isSupported(spec.Protocol) {
			l.status.Kinds = nil
		}
		if l.isTLS() {
			r.resolveCertificates(g, l)
			r.resolveClients(g, l)
		}
		state.listeners = append(state.listeners, l)
	}
}

// acceptListener compares a listener with those that are accepted already.
func (r *resolver) acceptListener(c claimant) Verdict {
	l := c.listener
	if !r.view.MayHaveGateways(c.gateway.Name.Namespace, c.gateway.Class) {
		return no(ReasonNamespaceNotAllowed, "The namespace %s may not have Gateways of the class %s: add it to spec.ingressGateway.allowedNamespaces of the Mesh.",
			c.gateway.Name.Namespace, c.gateway.Class)
	}
	if c.gateway.Parameters != "" {
		return invalidParameters(c.gateway)
	}
	if r.tooMany {
		return no(ReasonTooManyGateways, "The namespace %s has more than %d Gateways, or the mesh more than %d, and the oldest have pods: use fewer Gateways with more listeners.",
			c.gateway.Name.Namespace, MaxDedicated, MaxDedicatedOfMesh)
	}
	if !isSupported(l.spec.Protocol) {
		return no(gatewayv1.ListenerReasonUnsupportedProtocol, "The protocol %s is not supported: use HTTP, HTTPS, TLS or TCP.", l.spec.Protocol)
	}
	if l.isTLS() && !l.spec.Terminate {
		return no(gatewayv1.ListenerReasonUnsupportedProtocol, "tls.mode Passthrough is not supported for HTTPS: use Terminate, or the protocol TLS.")
	}
	if l.spec.Protocol == catalog.ListenerTLS && l.spec.Terminate {
		return no(gatewayv1.ListenerReasonUnsupportedValue, "tls.mode Terminate is not supported for TLS: use Passthrough, or the protocol HTTPS.")
	}
	if l.bind == 0 && r.dedicated {
		return no(gatewayv1.ListenerReasonPortUnavailable, "%s", r.portProblems[l.spec.Port])
	}
	if l.bind == 0 {
		return no(gatewayv1.ListenerReasonPortUnavailable, "The ingress gateway has no port %d: add it to spec.ingressGateway.ports of the Mesh, or use another port.", l.spec.Port)
	}
	// All listeners of a port have the protocol of the first one.
	if first := r.first[l.spec.Port]; first.listener != nil && first.listener.spec.Protocol != l.spec.Protocol {
		return no(gatewayv1.ListenerReasonProtocolConflict, "The listener %s of Gateway %s has another protocol on port %d.", first.listener.spec.Name, first.gateway.Name, l.spec.Port)
	}
	if other := r.accepted[hostPort{l.spec.Port, keyOf(l.spec.Hostname)}]; other.listener != nil {
		return no(gatewayv1.ListenerReasonHostnameConflict, "The listener %s of Gateway %s has the same port %d and hostname.", other.listener.spec.Name, other.gateway.Name, l.spec.Port)
	}
	if verdict := r.checkTakeover(c); !verdict.OK {
		return verdict
	}
	return r.checkNumber(c.gateway.Name.Namespace)
}

// invalidParameters rejects a Gateway that wants to be configured by an object: the mesh has no kind for it.
func invalidParameters(g *catalog.Gateway) Verdict {
	return no(gatewayv1.GatewayReasonInvalidParameters, "spec.infrastructure.parametersRef names %s, and the mesh has no parameters of Gateways: remove it.", g.Parameters)
}

func (r *resolver) addAccepted(c claimant) {
	port := c.listener.spec.Port
	c.listener.holds = true
	r.listeners[c.gateway.Name.Namespace]++
	r.accepted[hostPort{port, keyOf(c.listener.spec.Hostname)}] = c
	if r.first[port].listener == nil {
		r.first[port] = c
	}
}

// resolveCertificates collects the usable certificates of a listener.
func (r *resolver) resolveCertificates(g *catalog.Gateway, l *listenerState) {
	fail := func(reason gatewayv1.ListenerConditionReason, format string, args ...any) {
		l.status.ResolvedRefs = no(reason, format, args...)
	}
	if l.spec.OtherCertificate != "" {
		fail(gatewayv1.ListenerReasonInvalidCertificateRef, "tls.certificateRefs refers to %s: refer to a Secret.", l.spec.OtherCertificate)
	}
	known := certificatesByNamespace(r.view)[g.Name.Namespace]
	for _, name := range l.spec.Certificates {
		if !mayUse(r.view, g.Name.Namespace, secretKind, name) {
			fail(gatewayv1.ListenerReasonRefNotPermitted, "No ReferenceGrant in the namespace %s permits Gateways of the namespace %s to use the Secret %s.", name.Namespace, g.Name.Namespace, name.Name)
			continue
		}
		if _, within := known[name]; !within {
			fail(ReasonTooManyCertificates, "The Gateways of namespace %s refer to more than %d Secrets, so this one is not read: %s.", g.Name.Namespace, MaxCertificates, name.Name)
			continue
		}
		certificate := r.view.GatewayCertificate(name)
		switch {
		case certificate == nil:
			l.unread = true
			fail(gatewayv1.ListenerReasonInvalidCertificateRef, "The Secret %s has not been read yet.", name)
		case certificate.Problem != "":
			fail(gatewayv1.ListenerReasonInvalidCertificateRef, "%s", certificate.Problem)
		default:
			if certificate.Warning != "" {
				fail(gatewayv1.ListenerReasonInvalidCertificateRef, "%s", certificate.Warning)
			}
			l.certificates = append(l.certificates, certificate)
		}
	}
	if len(l.spec.Certificates) == 0 && l.spec.OtherCertificate == "" {
		fail(gatewayv1.ListenerReasonInvalidCertificateRef, "tls.certificateRefs is empty: refer to a Secret of type kubernetes.io/tls.")
	}
}

func (l *listenerState) isTLS() bool { return l.spec.Protocol == string(gatewayv1.HTTPSProtocolType) }

// isServed reports whether clients can connect. TLS needs a certificate, and a demand for certificates of clients the authorities of all.
func (l *listenerState) isServed() bool {
	return l.status.Accepted.OK && (!l.isTLS() || len(l.certificates) > 0) && !l.clients.unread
}

// isUnread reports whether the listener is not served only because a Secret or a ConfigMap was not read yet.
func (l *listenerState) isUnread() bool {
	return l.status.Accepted.OK && !l.isServed() && (len(l.certificates) > 0 || l.unread)
}

// build returns a listener with its hosts. Each host belongs to the listener of the port with the most specific hostname for it.
func (r *resolver) build(l *listenerState, name entity.Name, samePort *portListeners) Listener {
	out := Listener{
		Gateway: name, Name: l.spec.Name, Port: l.spec.Port, Bind: l.bind,
		Protocol: l.spec.Protocol, TLS: l.isTLS(), Hostname: l.spec.Hostname, Certificates: l.certificates, Dedicated: r.dedicated,
	}
	if l.spec.Clients != nil {
		out.Clients = &Clients{AuthoritiesPEM: l.clients.pem, Unread: l.clients.unread, AllowInvalid: l.spec.Clients.AllowInvalid}
	}
	if l.isTLS() {
		out.Misdirected = samePort.misdirected(name.Namespace, l)
	}
	domains := map[string]struct{}{domainOf(l.spec.Hostname): {}}
	for _, route := range l.routes {
		for _, hostname := range route.hostnames {
			domains[domainOf(hostname)] = struct{}{}
		}
	}
	index := indexRoutes(l.routes)
	for _, domain := range slices.Sorted(maps.Keys(domains)) {
		r.noteOwner(l, domain, index)
		if samePort.owns(name.Namespace, l, domain) {
			out.Hosts = append(out.Hosts, Host{Domain: domain, Rules: r.rulesFor(&out, index, domain)})
		}
	}
	return out
}

func sortListeners(list []Listener) {
	slices.SortFunc(list, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Hostname, b.Hostname))
	})
}

// yes and no make verdicts. A message of no is a sentence.
func yes[R ~string](reason R) Verdict { return Verdict{OK: true, Reason: string(reason)} }

func no[R ~string](reason R, format string, args ...any) Verdict {
	return Verdict{Reason: string(reason), Message: fmt.Sprintf(format, args...)}
}
