package rotation

import (
	"fmt"
	"slices"
	"time"
)

// Authority is a certificate authority. Certificates are identified by their fingerprints.
type Authority struct {
	// Issuer is the issuing certificate.
	Issuer string
	// Anchor is the trusted certificate to which the issuer leads.
	Anchor string
	// Trusted are all trusted certificates.
	Trusted []string
}

// trusts reports whether all given certificates are trusted.
func (a Authority) trusts(certificates []string) bool { return containsAll(a.Trusted, certificates) }

// Observed is the state of a mesh.
type Observed struct {
	Now time.Time
	// Desired is the authority that the mesh should have.
	Desired Authority
	// Active is the authority that control planes use.
	Active Authority
	// ActiveExpired is true if the active authority can issue no certificates any more.
	ActiveExpired bool
	// Since is when Active last changed.
	Since time.Time
	// MountDelay is how long it takes at most until all pods have a changed Secret or ConfigMap in their file system.
	MountDelay time.Duration
	// Namespaces are those whose trust ConfigMap does not have Active.Trusted, sorted.
	Namespaces []string
	// Sidecars are the pods with a running sidecar, as "<namespace>/<pod>", sorted. One that is connected to no replica cannot prove
	// anything.
	Sidecars []string
	// Replicas are those of the control plane. A nil slice means that they could not be listed.
	Replicas []Replica
}

// Phase is the step of a rotation.
type Phase string

// The phases. Distributing, Switching and Withdrawing change the active authority, the others wait.
const (
	Idle              Phase = "Idle"
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
	both := Authority{Issuer: o.Active.Issuer, Anchor: o.Active.Anchor, Trusted: union(o.Active.Trusted, o.Desired.Trusted)}
	switched := Authority{Issuer: o.Desired.Issuer, Anchor: o.Desired.Anchor, Trusted: both.Trusted}
	switch {
	case o.Active.Issuer != o.Desired.Issuer && (o.ActiveExpired || o.Desired.Anchor == o.Active.Anchor):
		// An expired authority has no peers to wait for. Everybody trusts another issuer below the same root.
		return Decision{Phase: Switching, Next: switched}
	case !o.Active.trusts(o.Desired.Trusted):
		return Decision{Phase: Distributing, Next: both}
	case o.Active.Issuer != o.Desired.Issuer:
		if waiting := o.withoutTrust(); len(waiting) > 0 {
			return Decision{Phase: WaitingForTrust, Next: o.Active, Waiting: waiting}
		}
		return Decision{Phase: Switching, Next: switched}
	case !containsAll(o.Desired.Trusted, o.Active.Trusted):
		if waiting := o.notRenewed(); len(waiting) > 0 {
			return Decision{Phase: WaitingForRenewal, Next: o.Active, Waiting: waiting}
		}
		return Decision{Phase: Withdrawing, Next: o.Desired}
	}
	return Decision{Phase: Idle, Next: o.Active}
}

// union appends the certificates of b that a does not have.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, c := range b {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// containsAll reports whether all has every certificate of some.
func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(c string) bool { return !slices.Contains(all, c) })
}
