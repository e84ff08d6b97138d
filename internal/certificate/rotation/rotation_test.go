package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
			Name: "r1", Issuer: active.Issuer, Trusted: active.Trusted, Since: noon.Add(-time.Hour),
			Proxies: []Proxy{{Name: "shop/web", UsesCertificates: true, Synced: true, Issuer: active.Issuer}},
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

func TestSummaryNamesOnlyExamples(t *testing.T) {
	decision := Decision{Waiting: []string{"a", "b", "c"}}
	if diff := cmp.Diff([]string{"a", "b", "c"}, decision.Summary(3)); diff != "" {
		t.Errorf("all fit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "2 more"}, decision.Summary(1)); diff != "" {
		t.Errorf("one fits (-want +got):\n%s", diff)
	}
}
