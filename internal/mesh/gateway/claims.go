package gateway

import (
	"cmp"
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Claims decide between Gateways. A listener claims its port, protocol and hostname when it is accepted, and keeps the claim until it asks for
// something else. The age of its Gateway decides only between listeners without claims. So nobody takes over a host by an edit of an older
// Gateway, and a restart changes nothing: the status of the listener records the claim.

// claimant is a listener with its Gateway.
type claimant struct {
	gateway  *catalog.Gateway
	listener *listenerState
}

// acceptListeners accepts or rejects all listeners: those with the oldest claims first, then those of the oldest Gateways. Routes are attached already.
func (r *resolver) acceptListeners() {
	var claimants []claimant
	for _, g := range r.gateways {
		claimants = append(claimants, lists.Map(g.listeners, func(l *listenerState) claimant { return claimant{g.gateway, l} })...)
	}
	// The Gateways are sorted by age and name.
	slices.SortStableFunc(claimants, func(a, b claimant) int { return compareClaims(a.listener.spec, b.listener.spec) })
	for _, c := range claimants {
		c.listener.status.Accepted = r.acceptListener(c)
		if c.listener.status.Accepted.OK {
			r.addAccepted(c)
		}
		if c.listener.claims() {
			c.listener.status.Claim = c.listener.spec.Claim()
		}
		if c.listener.status.Accepted.OK && c.listener.clients.invalid {
			// The listener keeps its claim: a ConfigMap that is missing for some time takes no host away.
			c.listener.status.Accepted = no(gatewayv1.ListenerReasonNoValidCACertificate, "The Gateway demands certificates of clients, and has no authority for them: %s",
				c.listener.status.ResolvedRefs.Message)
		}
	}
}

// compareClaims orders listeners with a claim before those without one, the oldest first.
func compareClaims(a, b catalog.GatewayListener) int {
	unclaimed := func(l catalog.GatewayListener) int {
		if l.Claimed.IsZero() {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(unclaimed(a), unclaimed(b)), a.Claimed.Compare(b.Claimed))
}

// claims reports whether the listener has a claim from now on. A port that the ingress gateway lacks for some time takes no claim away.
func (l *listenerState) claims() bool {
	unavailable := l.status.Accepted.Reason == string(gatewayv1.ListenerReasonPortUnavailable)
	return l.status.Accepted.OK || unavailable && !l.spec.Claimed.IsZero()
}

// checkTakeover rejects a new listener that would take requests from a less specific one of another namespace, whose routes serve them. Requests for
// hosts that no route names may be taken: a route for all hosts gets the rest.
func (r *resolver) checkTakeover(c claimant) Verdict {
	l := c.listener.spec
	if !l.Claimed.IsZero() {
		return yes(gatewayv1.ListenerReasonAccepted)
	}
	for key := range wider(domainOf(l.Hostname)) {
		other := r.accepted[hostPort{l.Port, key}]
		if other.listener != nil && other.gateway.Name.Namespace != c.gateway.Name.Namespace && other.listener.serves(l.Hostname) {
			return no(gatewayv1.ListenerReasonHostnameConflict, "The listener %s of Gateway %s, of another namespace, already serves requests for %s on port %d.",
				other.listener.spec.Name, other.gateway.Name, domainOf(l.Hostname), l.Port)
		}
	}
	return yes(gatewayv1.ListenerReasonAccepted)
}

// serves reports whether a route of the listener names a host that a hostname includes, or that includes the hostname.
func (l *listenerState) serves(hostname string) bool {
	if l.served == nil {
		l.served, l.above = map[string]struct{}{}, map[string]struct{}{}
		for _, attached := range l.routes {
			for _, host := range attached.hostnames {
				l.served[keyOf(host)] = struct{}{}
				for key := range wider(domainOf(host)) {
					l.above[key] = struct{}{}
				}
			}
		}
	}
	if _, includes := l.above[keyOf(hostname)]; includes {
		return true
	}
	for key := range wider(domainOf(hostname)) {
		if _, included := l.served[key]; included && key != "" {
			return true
		}
	}
	return false
}

// noteOwner records the routes of a listener for a host that a listener of another namespace serves, because its hostname is more specific.
func (r *resolver) noteOwner(l *listenerState, domain string, x routeIndex) {
	own := r.accepted[hostPort{l.spec.Port, keyOf(l.spec.Hostname)}]
	for key := range wider(domain) {
		owner := r.accepted[hostPort{l.spec.Port, key}]
		if owner.listener == nil {
			continue
		}
		if owner.listener == own.listener {
			return
		}
		if text := shadowText(own, owner, domain); text != "" {
			for _, i := range x.positions[keyOf(domain)] {
				r.shadowed[x.routes[i].route] = text
			}
		}
		return
	}
}

// shadowText says why requests for a host do not reach a listener; empty if they do, or if that is what its namespace has declared.
func shadowText(own, owner claimant, domain string) string {
	switch isOther := owner.gateway.Name.Namespace != own.gateway.Name.Namespace; {
	case isOther && owner.listener.isServed():
		return fmt.Sprintf("Requests for %s go to the listener %s of Gateway %s, which had this host first.", domain, owner.listener.spec.Name, owner.gateway.Name)
	case !owner.listener.isServed() && (isOther || owner.listener.spec.Clients != nil):
		return fmt.Sprintf("Requests for %s are not served: the host is that of the listener %s of Gateway %s, which lacks a certificate or authorities of clients.",
			domain, owner.listener.spec.Name, owner.gateway.Name)
	}
	return ""
}

// reportNotes adds a message to the status of routes whose hosts have only their own rules, with a host that another namespace serves, or with fields that
// have no effect.
func (r *resolver) reportNotes() {
	for i := range r.routes {
		route := r.routes[i].Route
		text := cmp.Or(r.narrowed[route], r.shadowed[route], noEffect(route.Ignored))
		for k := range r.routes[i].Parents {
			if accepted := &r.routes[i].Parents[k].Accepted; accepted.OK && accepted.Message == "" {
				accepted.Message = text
			}
		}
	}
}
