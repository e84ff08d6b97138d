package rotation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var (
	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

	oldRoot = Authority{Issuer: "old", Anchor: "old", Trusted: []string{"old"}}
	newRoot = Authority{Issuer: "new", Anchor: "new", Trusted: []string{"new"}}
	// both trusts both roots, and the old one issues. switched trusts both, and the new one issues.
	both     = Authority{Issuer: "old", Anchor: "old", Trusted: []string{"old", "new"}}
	switched = Authority{Issuer: "new", Anchor: "new", Trusted: []string{"old", "new"}}
)

// observed is a mesh with one replica and one sidecar that have everything that the active authority requires.
func observed(active, desired Authority, change func(*Observed)) Observed {
	o := Observed{
		Now: noon, Desired: desired, Active: active, Since: noon.Add(-time.Hour), MountDelay: 2 * time.Minute,
		Replicas: []Replica{{
			Name: "r1", Issuer: active.Issuer, Trusted: active.Trusted, Domains: active.Domains, Since: noon.Add(-time.Hour),
			Proxies: []Proxy{{Name: "shop/web", UsesCertificates: true, Synced: true, UpToDate: true, Issuer: active.Issuer, Domain: active.Domains.Issued}},
		}},
	}
	if change != nil {
		change(&o)
	}
	return o
}

func TestDecide(t *testing.T) {
	next := Authority{Issuer: "renewed", Anchor: "old", Trusted: []string{"old"}}
	for name, test := range map[string]struct {
		observed Observed
		phase    Phase
		next     Authority
		waiting  string
	}{
		"nothing to do":             {observed(oldRoot, oldRoot, nil), Idle, oldRoot, ""},
		"a new root is trusted":     {observed(oldRoot, newRoot, nil), Distributing, both, ""},
		"everybody trusts both":     {observed(both, newRoot, nil), Switching, switched, ""},
		"nobody needs the old":      {observed(switched, newRoot, nil), Withdrawing, newRoot, ""},
		"back before the switch":    {observed(both, oldRoot, nil), Withdrawing, oldRoot, ""},
		"back after the switch":     {observed(switched, oldRoot, nil), Switching, both, ""},
		"same root, new issuer":     {observed(oldRoot, next, nil), Switching, next, ""},
		"the old root expired":      {observed(oldRoot, newRoot, func(o *Observed) { o.ActiveExpired = true }), Switching, switched, ""},
		"an idle mesh is not asked": {observed(oldRoot, oldRoot, func(o *Observed) { o.Replicas = nil }), Idle, oldRoot, ""},
		"files are not mounted": {
			observed(both, newRoot, func(o *Observed) { o.Since = noon.Add(-time.Minute) }), WaitingForTrust, both, "until 2026-11-20T12:01:00Z",
		},
		"a namespace lacks it": {
			observed(both, newRoot, func(o *Observed) { o.Namespaces = []string{"shop"} }), WaitingForTrust, both, "the namespace shop",
		},
		"a webhook lacks it": {
			observed(both, newRoot, func(o *Observed) { o.Webhooks = []string{"the webhook w does not trust the new root"} }), WaitingForTrust, both, "the webhook w",
		},
		"a peer trusts only the old one": {
			observed(both, newRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Trusted: []string{"old"}}} }),
			WaitingForTrust, both, "the peer east has not acknowledged the new root: its MeshPeer for this mesh must follow or declare it, or add the peer to " +
				"spec.certificates.rotateWithoutPeers",
		},
		"a peer is away": {
			observed(both, newRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away", Trusted: []string{"new"}}} }),
			WaitingForTrust, both, "the peer east is away, so it cannot acknowledge the new root: connect it, or add it to spec.certificates.rotateWithoutPeers",
		},
		"a peer trusts only the new one": {
			observed(both, newRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Trusted: []string{"new"}}} }), Switching, switched, "",
		},
		"a peer that lost the old root, and the way back": {
			observed(switched, oldRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Trusted: []string{"new"}}} }),
			WaitingForTrust, switched, "the peer east has not acknowledged",
		},
		"a peer needs no proof for another issuer below the same root": {
			observed(oldRoot, next, func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away"}} }), Switching, next, "",
		},
		"a peer needs no proof before the old one is withdrawn": {
			observed(switched, newRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away"}} }), Withdrawing, newRoot, "",
		},
		"peers would reject the new one": {
			observed(oldRoot, newRoot, func(o *Observed) { o.Rejected = []string{"the sidecar of shop/web cannot use it"} }), AuthorityRejected, oldRoot, "shop/web cannot use it",
		},
		"peers would reject the renewed one": {
			observed(oldRoot, next, func(o *Observed) { o.Rejected = []string{"the sidecar of shop/web cannot use it"} }), AuthorityRejected, oldRoot, "shop/web cannot use it",
		},
		"the old root expired, and some would reject the new one": {
			observed(oldRoot, newRoot, func(o *Observed) { o.ActiveExpired, o.Rejected = true, []string{"the webhook w cannot use it"} }), Switching, switched, "",
		},
		"no replica": {observed(both, newRoot, func(o *Observed) { o.Replicas = nil }), WaitingForTrust, both, "no replica"},
		"a replica is unknown": {
			observed(both, newRoot, func(o *Observed) { o.Replicas[0].Problem = "timeout" }), WaitingForTrust, both, "r1 is unknown: timeout",
		},
		"a replica has not loaded it": {
			observed(both, newRoot, func(o *Observed) { o.Replicas[0].Trusted = oldRoot.Trusted }), WaitingForTrust, both, "r1 has not loaded",
		},
		"a replica has just loaded it": {
			observed(both, newRoot, func(o *Observed) { o.Replicas[0].Since = noon.Add(-time.Second) }), WaitingForTrust, both, "r1 is sending",
		},
		"a sidecar lags": {
			observed(both, newRoot, func(o *Observed) { o.Replicas[0].Proxies[0].Synced = false }), WaitingForTrust, both, "shop/web has not acknowledged",
		},
		"a sidecar that the old authority never issued a certificate for": {
			observed(both, newRoot, func(o *Observed) {
				o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", UsesCertificates: true, AwaitsCertificate: true}
			}),
			Switching, switched, "",
		},
		"a sidecar waits for the new authority": {
			observed(switched, newRoot, func(o *Observed) {
				o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", UsesCertificates: true, AwaitsCertificate: true}
			}),
			WaitingForRenewal, switched, "shop/web waits for its certificate",
		},
		"a sidecar without certificates": {
			observed(both, newRoot, func(o *Observed) { o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", Since: noon.Add(-time.Minute)} }), Switching, switched, "",
		},
		"a sidecar without certificates needs no renewal": {
			observed(switched, newRoot, func(o *Observed) { o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", Since: noon.Add(-time.Minute)} }), Withdrawing, newRoot, "",
		},
		"a sidecar has just connected": {
			observed(both, newRoot, func(o *Observed) {
				o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", Since: noon.Add(-time.Second), Synced: true}
			}),
			WaitingForTrust, both, "shop/web has just connected",
		},
		"a sidecar is connected": {observed(both, newRoot, func(o *Observed) { o.Sidecars = []string{"shop/web"} }), Switching, switched, ""},
		"a sidecar is not connected": {
			observed(both, newRoot, func(o *Observed) { o.Sidecars = []string{"shop/cut", "shop/web"} }), WaitingForTrust, both, "shop/cut is not connected",
		},
		"a sidecar with an old certificate is not connected": {
			observed(switched, newRoot, func(o *Observed) { o.Sidecars = []string{"shop/cut"} }), WaitingForRenewal, switched, "shop/cut is not connected",
		},
		"a replica issues with the old": {
			observed(switched, newRoot, func(o *Observed) { o.Replicas[0].Issuer = "old" }), WaitingForRenewal, switched, "r1 does not issue",
		},
		"a sidecar has an old certificate": {
			observed(switched, newRoot, func(o *Observed) { o.Replicas[0].Proxies[0].Issuer = "old" }), WaitingForRenewal, switched, "shop/web has a certificate",
		},
		"a sidecar has no certificate": {
			observed(switched, newRoot, func(o *Observed) { o.Replicas[0].Proxies[0].Issuer = "" }), WaitingForRenewal, switched, "shop/web",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(test.observed)
			if got.Phase != test.phase {
				t.Errorf("phase is %s, want %s", got.Phase, test.phase)
			}
			if diff := cmp.Diff(test.next, got.Next); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			waiting := strings.Join(got.Waiting, "; ")
			if !strings.Contains(waiting, test.waiting) || (test.waiting == "") != (waiting == "") {
				t.Errorf("it waits for %q, want %q", waiting, test.waiting)
			}
		})
	}
}

// domains are trust domains of which the first is issued.
func domains(clients, servers []string) identity.TrustDomains {
	return identity.TrustDomains{Issued: clients[0], Clients: slices.Sorted(slices.Values(clients)), Servers: slices.Sorted(slices.Values(servers))}
}

// moving is an authority with trust domains.
func moving(clients, servers []string) Authority {
	return Authority{Issuer: "old", Anchor: "old", Trusted: []string{"old"}, Domains: domains(clients, servers)}
}

func TestDecide_TrustDomain(t *testing.T) {
	a, b, ab, ba := []string{"a"}, []string{"b"}, []string{"a", "b"}, []string{"b", "a"}
	toB := moving(b, b)
	for name, test := range map[string]struct {
		observed Observed
		phase    Phase
		next     Authority
		waiting  string
	}{
		"nothing to do":          {observed(moving(a, a), moving(a, a), nil), Idle, moving(a, a), ""},
		"both are accepted":      {observed(moving(a, a), toB, nil), Distributing, moving(ab, ab), ""},
		"everybody has both":     {observed(moving(ab, ab), toB, nil), Switching, moving(ba, ab), ""},
		"clients close first":    {observed(moving(ba, ab), toB, nil), Withdrawing, moving(ba, b), ""},
		"then servers":           {observed(moving(ba, b), toB, nil), Withdrawing, toB, ""},
		"back before the switch": {observed(moving(ab, ab), moving(a, a), nil), Withdrawing, moving(ab, a), ""},
		"back after the switch":  {observed(moving(ba, ab), moving(a, a), nil), Switching, moving(ab, ab), ""},
		"back at the end":        {observed(moving(ba, b), moving(a, a), nil), Distributing, moving(ba, ab), ""},
		"an expired root does not change the trust domain at once": {
			observed(moving(a, a), Authority{Issuer: "new", Anchor: "new", Trusted: []string{"new"}, Domains: domains(b, b)}, func(o *Observed) { o.ActiveExpired = true }),
			Switching,
			Authority{Issuer: "new", Anchor: "new", Trusted: []string{"old", "new"}, Domains: domains(ab, ab)},
			"",
		},
		"a peer cannot accept the new one before": {
			observed(moving(ab, ab), toB, func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away"}} }), Switching, moving(ba, ab), "",
		},
		"a replica has not loaded it": {
			observed(moving(ab, ab), toB, func(o *Observed) { o.Replicas[0].Domains = domains(a, a) }), WaitingForTrust, moving(ab, ab), "r1 has not loaded the new trust domains",
		},
		"a sidecar lags": {
			observed(moving(ab, ab), toB, func(o *Observed) { o.Replicas[0].Proxies[0].UpToDate = false }), WaitingForTrust, moving(ab, ab), "shop/web has not acknowledged the new trust domains",
		},
		"a replica issues in the old one": {
			observed(moving(ba, ab), toB, func(o *Observed) { o.Replicas[0].Domains.Issued = "a" }), WaitingForRenewal, moving(ba, ab), "r1 does not issue in the trust domain b",
		},
		"a sidecar has an old certificate": {
			observed(moving(ba, ab), toB, func(o *Observed) { o.Replicas[0].Proxies[0].Domain = "a" }), WaitingForRenewal, moving(ba, ab), "shop/web has a certificate of the old trust domain",
		},
		"a sidecar has not closed its connections": {
			observed(moving(ba, b), toB, func(o *Observed) { o.Replicas[0].Proxies[0].UpToDate = false }), WaitingForRenewal, moving(ba, b), "shop/web has not acknowledged the new trust domains",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(test.observed)
			if got.Phase != test.phase {
				t.Errorf("phase is %s, want %s", got.Phase, test.phase)
			}
			if diff := cmp.Diff(test.next, got.Next, cmpopts.IgnoreFields(identity.TrustDomains{}, "Known")); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if waiting := strings.Join(got.Waiting, "; "); !strings.Contains(waiting, test.waiting) || (test.waiting == "") != (waiting == "") {
				t.Errorf("it waits for %q, want %q", waiting, test.waiting)
			}
		})
	}
}

// Sidecars know the control plane by the trust domain of their injection, so none is forgotten.
func TestKnownTrustDomainsAreKept(t *testing.T) {
	known := func(a Authority, list ...string) Authority {
		a.Domains.Known = list
		return a
	}
	b := known(moving([]string{"b"}, []string{"b"}), "b")
	first := Decide(observed(known(moving([]string{"a"}, []string{"a"}), "a"), b, nil)).Next
	last := Decide(observed(known(moving([]string{"b", "a"}, []string{"b"}), "a", "b"), b, nil)).Next
	if want := []string{"a", "b"}; !slices.Equal(first.Domains.Known, want) || !slices.Equal(last.Domains.Known, want) {
		t.Errorf("known at first %v, at last %v, want %v", first.Domains.Known, last.Domains.Known, want)
	}
}

func TestSummaryNamesOnlyExamples(t *testing.T) {
	decision := Decision{Waiting: []string{"a", "b", "c"}}
	if diff := cmp.Diff([]string{"a", "b", "c"}, decision.Summary(3)); diff != "" {
		t.Errorf("all fit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "2 more"}, decision.Summary(1)); diff != "" {
		t.Errorf("one fits (-want +got):\n%s", diff)
	}
}

// Without a replica nothing is known about sidecars: a restart of their pods would not help.
func TestMissingReplicasAreNoReasonToRestartPods(t *testing.T) {
	for _, replicas := range [][]Replica{nil, {{Name: "r1", Problem: "it does not answer"}}} {
		decision := Decide(observed(both, newRoot, func(o *Observed) { o.Replicas, o.Sidecars = replicas, []string{"shop/web", "shop/db"} }))
		if len(decision.Waiting) != 1 || strings.Contains(decision.Waiting[0], "restart its pod") {
			t.Errorf("with replicas %v the rotation waits for %q, want only the replicas", replicas, decision.Waiting)
		}
	}
}
