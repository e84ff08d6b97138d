package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Authority is a certificate authority. Certificates are identified by their fingerprints.
type Authority struct {
	// Issuer is the issuing certificate.
	Issuer string
	// Anchor is the trusted certificate to which the issuer leads.
	Anchor string
	// Trusted are all trusted certificates.
	Trusted []string
	// Domains are the trust domains of the workloads.
	Domains identity.TrustDomains
}

// accepts reports whether everything is accepted that another authority accepts.
func (a Authority) accepts(other Authority) bool {
	return containsAll(a.Trusted, other.Trusted) && containsAll(a.Domains.Clients, other.Domains.Clients) &&
		containsAll(a.Domains.Servers, other.Domains.Servers)
}

// merge accepts what another authority accepts, too.
func (a Authority) merge(other Authority) Authority {
	a.Trusted = union(a.Trusted, other.Trusted)
	a.Domains.Clients = identity.MergeTrustDomains(a.Domains.Clients, other.Domains.Clients)
	a.Domains.Servers = identity.MergeTrustDomains(a.Domains.Servers, other.Domains.Servers)
	a.Domains.Known = identity.MergeTrustDomains(a.Domains.Known, other.Domains.Known)
	return a
}

// switchTo issues with the certificate of another authority, and accepts the same as before.
func (a Authority) switchTo(other Authority) Authority {
	a.Issuer, a.Anchor = other.Issuer, other.Anchor
	return a
}

// Observed is the state of a mesh.
type Observed struct {
	Now time.Time
	// Desired is the authority that the mesh should have.
	Desired Authority
	// Active is the authority that control planes use.
	Active Authority
	// ActiveExpired is true if no peer accepts certificates of the active authority any more.
	ActiveExpired bool
	// Since is when Active last changed.
	Since time.Time
	// MountDelay is how long it takes at most until all pods have a changed Secret or ConfigMap in their file system.
	MountDelay time.Duration
	// Namespaces are those whose trust ConfigMap does not have Active.Trusted, sorted.
	Namespaces []string
	// Webhooks has a sentence for each webhook configuration that does not trust Active.Trusted.
	Webhooks []string
	// Rejected has a sentence for each sidecar and webhook whose certificate peers would reject if Desired issued it.
	Rejected []string
	// Sidecars are the pods with a running sidecar, as "<namespace>/<pod>", sorted. One that is connected to no replica cannot prove
	// anything.
	Sidecars []string
	// Replicas are those of the control plane. A nil slice means that they could not be listed.
	Replicas []Replica
	// Peers are the other meshes that verify certificates of this one, sorted by name.
	Peers []Peer
}

// Phase is the step of a rotation.
type Phase string

// The phases. Distributing, Switching and Withdrawing change the active authority, the others wait.
const (
	Idle              Phase = "Idle"
	AuthorityRejected Phase = "AuthorityRejected"
	Distributing      Phase = "Distributing"
	WaitingForTrust   Phase = "WaitingForTrust"
	Switching         Phase = "Switching"
	WaitingForRenewal Phase = "WaitingForRenewal"
	Withdrawing       Phase = "Withdrawing"
)

// Decision is the next step of a rotation.
type Decision struct {
	Phase Phase
	// Next is what the active authority must be. It equals Observed.Active in phases that wait.
	Next Authority
	// Waiting lists what the rotation waits for.
	Waiting []string
}

// Summary returns the first entries of Waiting, and the number of the others.
func (d Decision) Summary(limit int) []string {
	if len(d.Waiting) <= limit {
		return d.Waiting
	}
	return append(slices.Clone(d.Waiting[:limit]), fmt.Sprintf("%d more", len(d.Waiting)-limit))
}

// Decide returns the next step.
func Decide(o Observed) Decision {
	both := o.Active.merge(o.Desired)
	sameIssuer := o.Active.Issuer == o.Desired.Issuer
	switch {
	case !sameIssuer && !o.ActiveExpired && len(o.Rejected) > 0:
		return Decision{Phase: AuthorityRejected, Next: o.Active, Waiting: Preflight(o)}
	case !sameIssuer && (o.ActiveExpired || o.Desired.Anchor == o.Active.Anchor):
		// An expired authority has no peers to wait for. Everybody trusts another issuer below the same root.
		return Decision{Phase: Switching, Next: both.switchTo(o.Desired)}
	case !o.Active.accepts(o.Desired):
		return Decision{Phase: Distributing, Next: both}
	case !sameIssuer || o.Active.Domains.Issued != o.Desired.Domains.Issued:
		if waiting := o.withoutTrust(); len(waiting) > 0 {
			return Decision{Phase: WaitingForTrust, Next: o.Active, Waiting: waiting}
		}
		switched := both.switchTo(o.Desired)
		switched.Domains.Issued = o.Desired.Domains.Issued
		return Decision{Phase: Switching, Next: switched}
	case !o.Desired.accepts(o.Active):
		return o.withdraw()
	}
	return Decision{Phase: Idle, Next: o.Active}
}

// withdraw withdraws what is accepted and not desired, after nothing needs it. A request is authorized by the certificate with which its
// connection was opened. Therefore servers accept a trust domain from clients for longer than clients do of servers: clients close their
// connections when that changes, and open new ones with their new certificates.
func (o Observed) withdraw() Decision {
	waiting := o.notRenewed()
	next := o.Desired
	next.Domains.Known = o.Active.Domains.Known
	if !containsAll(o.Desired.Domains.Clients, o.Active.Domains.Clients) {
		if containsAll(o.Desired.Domains.Servers, o.Active.Domains.Servers) {
			waiting = union(waiting, o.withoutTrust())
		} else {
			next = o.Active
			next.Domains.Servers = o.Desired.Domains.Servers
		}
	}
	if len(waiting) > 0 {
		return Decision{Phase: WaitingForRenewal, Next: o.Active, Waiting: waiting}
	}
	return Decision{Phase: Withdrawing, Next: next}
}

// union appends the elements of b that a does not have.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, c := range b {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// containsAll reports whether every element of some is also in all.
func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(c string) bool { return !slices.Contains(all, c) })
}

// Except removes the sidecars and the distributed trust of some namespaces, and some peers, from an observation, so that the rotation does not
// wait for them. One sidecar or peer that does not respond, perhaps on purpose, could otherwise keep a mesh from withdrawing a root.
func (o *Observed) Except(namespaces, peers []string) {
	isExcepted := func(sidecar string) bool {
		namespace, _, _ := strings.Cut(sidecar, "/")
		return slices.Contains(namespaces, namespace)
	}
	o.Sidecars = slices.DeleteFunc(o.Sidecars, isExcepted)
	o.Namespaces = slices.DeleteFunc(o.Namespaces, func(namespace string) bool { return slices.Contains(namespaces, namespace) })
	for i := range o.Replicas {
		r := &o.Replicas[i]
		r.Proxies = slices.DeleteFunc(slices.Clone(r.Proxies), func(p Proxy) bool { return isExcepted(p.Name) })
	}
	o.Peers = slices.DeleteFunc(o.Peers, func(p Peer) bool { return slices.Contains(peers, p.Name) })
}

// Preflight lists everything that would break if the desired authority issued, and everything that could not follow a rotation to it. It
// depends on the state before the rotation, so it can be called before the authority is declared.
func Preflight(o Observed) []string {
	w := blockers(slices.Clone(o.Rejected))
	for _, namespace := range o.Namespaces {
		w.add("the namespace %s does not have the present root, so its new pods would not get another one", namespace)
	}
	w = append(w, o.Webhooks...)
	for _, p := range o.Peers {
		if p.Problem != "" {
			w.add("the peer %s %s, so it would not learn another root", p.Name, p.Problem)
		}
	}
	w.addReplicas(o, func(r Replica) {
		for _, p := range r.Proxies {
			if p.UsesCertificates && !p.Synced && !p.AwaitsCertificate {
				w.add("the sidecar of %s has not acknowledged its present certificates, so it would not confirm new ones", p.Name)
			}
		}
	})
	w.addDisconnected(o)
	return w
}
