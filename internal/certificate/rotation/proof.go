package rotation

import (
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// servedTime is how long a replica must have served its trust bundle until a sidecar without pending changes counts as one that
// has it. It is also how long a sidecar must be connected until one without requests for certificates counts as one that needs none.
const servedTime = 5 * time.Second

// Replica is what a replica of the control plane reports.
type Replica struct {
	Name string
	// Problem is why its state is unknown; empty if it is known.
	Problem string
	// Issuer and Trusted are what the replica uses.
	Issuer  string
	Trusted []string
	// Domains are the trust domains that the replica uses.
	Domains identity.TrustDomains
	// Since is when the replica began to serve Trusted and Domains to its sidecars.
	Since   time.Time
	Proxies []Proxy
	// Failure is why the replica cannot issue certificates of workloads since FailingSince; empty if it can.
	Failure      string
	FailingSince time.Time
	// FirstExpiry is when the first certificate of a sidecar expires; zero without any.
	FirstExpiry time.Time
}

// Proxy is a sidecar that is connected to a replica.
type Proxy struct {
	// Name is "<namespace>/<pod>".
	Name string
	// Since is when it connected.
	Since time.Time
	// UsesCertificates is true if the sidecar has requested certificates or the trust on this connection. One that has no TLS connections
	// does not.
	UsesCertificates bool
	// AwaitsCertificate is true if the sidecar has requested a certificate and never had one. It has no TLS connections yet, and receives the
	// present trust before its certificate.
	AwaitsCertificate bool
	// Synced is true if the sidecar has acknowledged all secrets.
	Synced bool
	// UpToDate is true if the sidecar has acknowledged all configuration except endpoints.
	UpToDate bool
	// Issuer is the issuer of the acknowledged certificate, and Domain the trust domain in it; empty without one.
	Issuer, Domain string
}

// Peer is another mesh, whose workloads verify certificates of this one.
type Peer struct {
	// Name is that of its MeshPeer.
	Name string
	// Problem is why it is unknown what the peer trusts; empty if it is known.
	Problem string
	// Trusted are the certificates of the authorities that the peer trusts.
	Trusted []string
}

// withoutTrust lists what may not trust all certificates of the active authority yet.
func (o Observed) withoutTrust() []string {
	var w blockers
	w.addMounts(o)
	for _, namespace := range o.Namespaces {
		w.add("the namespace %s does not have the new root", namespace)
	}
	w = append(w, o.Webhooks...)
	w.addPeers(o)
	w.addReplicas(o, func(r Replica) {
		switch {
		case !containsAll(r.Trusted, o.Active.Trusted):
			w.add("the control plane pod %s has not loaded the new root", r.Name)
		case o.movesDomain() && !r.hasDomains(o.Active.Domains):
			w.add("the control plane pod %s has not loaded the new trust domains", r.Name)
		case o.Now.Sub(r.Since) < servedTime:
			w.add("the control plane pod %s is sending the new root", r.Name)
		default:
			w.addSidecars(o, r, func(p Proxy) string {
				switch {
				case p.AwaitsCertificate:
					// If the active authority cannot issue any more, it never gets one. The rotation to another authority must not wait for that.
					return ""
				case !p.Synced:
					return "has not acknowledged the new root"
				case o.movesDomain() && !p.UpToDate:
					return "has not acknowledged the new trust domains"
				}
				return ""
			})
		}
	})
	w.addDisconnected(o)
	return w
}

// notRenewed lists what may still need a certificate that the active authority trusts but the desired one does not.
func (o Observed) notRenewed() []string {
	var w blockers
	w.addMounts(o)
	w.addReplicas(o, func(r Replica) {
		switch {
		case r.Issuer != o.Active.Issuer:
			w.add("the control plane pod %s does not issue with the new root", r.Name)
		case o.movesDomain() && r.Domains.Issued != o.Active.Domains.Issued:
			w.add("the control plane pod %s does not issue in the trust domain %s", r.Name, o.Active.Domains.Issued)
		default:
			w.addSidecars(o, r, func(p Proxy) string {
				switch {
				case p.AwaitsCertificate:
					return "waits for its certificate"
				case p.Issuer != o.Active.Issuer:
					return "has a certificate of the old root"
				case o.movesDomain() && p.Domain != o.Active.Domains.Issued:
					return "has a certificate of the old trust domain"
				}
				return ""
			})
		}
	})
	w.addDisconnected(o)
	return w
}

// movesDomain reports whether more than one trust domain is accepted.
func (o Observed) movesDomain() bool {
	return len(o.Active.Domains.Clients) > 1 || len(o.Active.Domains.Servers) > 1
}

// hasDomains reports whether a replica accepts the same trust domains as the active authority.
func (r Replica) hasDomains(active identity.TrustDomains) bool {
	return slices.Equal(r.Domains.Clients, active.Clients) && slices.Equal(r.Domains.Servers, active.Servers)
}

// blockers collects what a rotation waits for.
type blockers []string

func (w *blockers) add(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }

// addMounts waits until pods have the current files.
func (w *blockers) addMounts(o Observed) {
	if until := o.Since.Add(o.MountDelay); o.Now.Before(until) {
		w.add("pods receive changed files until %s", until.UTC().Format(time.RFC3339))
	}
}

// addPeers waits for peers that would reject certificates of the desired authority. They verify the root only: each declares one trust domain of this
// mesh, and cannot accept another one before the mesh has it.
func (w *blockers) addPeers(o Observed) {
	if o.Desired.Anchor == o.Active.Anchor {
		return
	}
	for _, p := range o.Peers {
		switch {
		case p.Problem != "":
			w.add("the peer %s %s, so it cannot acknowledge the new root: connect it, or add it to spec.certificates.rotateWithoutPeers", p.Name, p.Problem)
		case !slices.Contains(p.Trusted, o.Desired.Anchor):
			w.add("the peer %s has not acknowledged the new root: its MeshPeer for this mesh must follow or declare it, or add the peer to "+
				"spec.certificates.rotateWithoutPeers", p.Name)
		}
	}
}

// addReplicas calls check with each replica whose state is known, and waits for the others.
func (w *blockers) addReplicas(o Observed, check func(Replica)) {
	if o.Replicas == nil {
		w.add("no replica of the control plane is running")
	}
	for _, r := range o.Replicas {
		if r.Problem != "" {
			w.add("the state of the control plane pod %s is unknown: %s", r.Name, r.Problem)
			continue
		}
		check(r)
	}
}

// addSidecars waits for the sidecars of a replica that are not ready. A sidecar that uses no certificates is ready, but it requests them
// some time after it has connected.
func (w *blockers) addSidecars(o Observed, r Replica, problemOf func(Proxy) string) {
	for _, p := range r.Proxies {
		problem := problemOf(p)
		switch {
		case p.UsesCertificates && problem != "":
			w.add("the sidecar of %s %s", p.Name, problem)
		case !p.UsesCertificates && o.Now.Sub(p.Since) < servedTime:
			w.add("the sidecar of %s has just connected", p.Name)
		}
	}
}

// addDisconnected waits for sidecars that are connected to no replica. They use the trust and the certificate of an earlier connection. Without
// a replica nothing is known about sidecars, and a restart of their pods would not help.
func (w *blockers) addDisconnected(o Observed) {
	if len(o.Replicas) == 0 {
		return
	}
	connected := map[string]bool{}
	for _, r := range o.Replicas {
		if r.Problem != "" {
			// The sidecars of this replica are unknown.
			return
		}
		for _, p := range r.Proxies {
			connected[p.Name] = true
		}
	}
	for _, name := range o.Sidecars {
		if !connected[name] {
			w.add("the sidecar of %s is not connected to the control plane: restart its pod, or delete it", name)
		}
	}
}
