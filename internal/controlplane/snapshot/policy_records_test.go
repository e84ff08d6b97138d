package snapshot

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPolicyOfARunningStore asks for a policy that is not known, and asks a Store that has stopped.
func TestPolicyOfARunningStore(t *testing.T) {
	h := newSyncedHarness(twoServices()...)
	ask := func(ctx context.Context, ref entity.Ref) error {
		done := make(chan error, 1)
		go func() {
			_, err := h.store.Policy(ctx, ref)
			done <- err
		}()
		<-h.store.queue.wake
		h.run()
		return <-done
	}
	known, unknown := meshtest.Group("a", "routes").Ref(), meshtest.Group("a", "unknown").Ref()
	if err := ask(t.Context(), known); err != nil {
		t.Errorf("a known policy: %v", err)
	}
	if err := ask(t.Context(), unknown); !errors.Is(err, status.ErrUnknownPolicy) {
		t.Errorf("an unknown policy: error %v, want ErrUnknownPolicy", err)
	}
	h.store.queue.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.store.Policy(ctx, known); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped Store: error %v, want ErrStopped", err)
	}
	if _, err := h.store.Entries(ctx); !errors.Is(err, ErrStopped) {
		t.Errorf("the entries of a stopped Store: error %v, want ErrStopped", err)
	}
}

// TestPolicyIsCountedWhereItIsQuarantined quarantines a policy for some of the scopes that depend on it.
func TestPolicyIsCountedWhereItIsQuarantined(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "a", "a", "a")
	split, group := m.splitOf(0, "/x")
	m.apply(split, group)
	for i := range 3 {
		m.quarantine(i, split.Ref())
	}
	got := m.policy(t, split.Ref())
	if got.Proxies != 5 || got.Rejected != 3 || len(got.Pending) != 2 {
		t.Errorf("the policy has %d proxies, %d reject it and %v are pending; want 5, 3 and two pods", got.Proxies, got.Rejected, got.Pending)
	}
}

// TestChangesOfPoliciesAreRecorded applies a batch with an unchanged policy and a pod before a changed policy.
func TestChangesOfPoliciesAreRecorded(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.now = h.now.Add(time.Second)
	moved := *client
	moved.Labels = map[string]string{"app": "moved"}
	group := meshtest.Group("a", "routes", "/y")
	h.store.Apply([]catalog.Change{catalog.Set(twoServices()[9]), catalog.Set(&moved), catalog.Set(group)})
	h.run()
	if got := h.policy(t, group.Ref()); !got.ChangedAt.Equal(h.now) {
		t.Errorf("the group changed at %v, want %v", got.ChangedAt, h.now)
	}
	if got := h.policy(t, twoServices()[9].Ref()); got.ChangedAt.Equal(h.now) {
		t.Error("the unchanged target counts as changed")
	}
	if _, err := h.store.policyStatus(client.Ref()); !errors.Is(err, status.ErrUnknownPolicy) {
		t.Errorf("a pod has the status of a policy: error %v, want ErrUnknownPolicy", err)
	}
}

// TestAuthoritiesReleaseTheirPolicies changes ConfigMaps while a policy is quarantined, and checks when it is released and when that is published.
func TestAuthoritiesReleaseTheirPolicies(t *testing.T) {
	policy := func(name, authorities string) *catalog.BackendTLSPolicy {
		return &catalog.BackendTLSPolicy{
			Name: meshtest.Name("a", name), Hostname: name + ".example.com", Authorities: []string{authorities},
			Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: name}},
		}
	}
	authorities := func(namespace, name, pem string) catalog.Change {
		return catalog.Set(&catalog.BackendAuthorities{Name: meshtest.Name(namespace, name), PEM: []byte(pem)})
	}
	for name, test := range map[string]struct {
		changes  []catalog.Change
		releases bool
	}{
		"its authorities":                      {[]catalog.Change{authorities("a", "ca", "new")}, true},
		"its authorities before others":        {[]catalog.Change{authorities("a", "ca", "new"), authorities("a", "other", "new")}, true},
		"the same authorities":                 {[]catalog.Change{authorities("a", "ca", "old")}, false},
		"other authorities":                    {[]catalog.Change{authorities("a", "other", "new")}, false},
		"authorities of another namespace":     {[]catalog.Change{authorities("b", "ca", "new")}, false},
		"another object with the same name":    {[]catalog.Change{catalog.Set(meshtest.Group("a", "ca", "/"))}, false},
		"authorities of no quarantined policy": {[]catalog.Change{authorities("a", "second", "new")}, false},
	} {
		h := newSyncedHarness(append(twoServices(), policy("p", "ca"), policy("q", "ca"), policy("r", "second"))...)
		h.store.Apply([]catalog.Change{authorities("a", "ca", "old")})
		h.run()
		published := 0
		h.store.OnRejections(func() { published++ })
		h.store.quarantine.Add(quarantine.Rejection{Policy: policy("p", "ca").Ref(), Scope: scope.Key{Identity: meshtest.SA("a", "client")}})
		h.store.quarantine.Publish()
		published = 0
		h.store.Apply(test.changes)
		h.run()
		if got := len(h.store.Rejections()) == 0; got != test.releases {
			t.Errorf("a change of %s: the policy is released: %t, want %t", name, got, test.releases)
		}
		if got := published > 0; got != test.releases {
			t.Errorf("a change of %s: the rejections are published %d times; want a publication: %t", name, published, test.releases)
		}
	}
}

// TestLimitedPoliciesAreSortedOnce lists the limited policies of several scopes.
func TestLimitedPoliciesAreSortedOnce(t *testing.T) {
	var l limitedPolicies
	var policies []entity.Ref
	for _, name := range []string{"c", "f", "a", "e", "b", "d", "g"} {
		policies = append(policies, entity.Ref{Kind: entity.KindEgress, Name: meshtest.Name("a", name)})
	}
	l.replace(meshtest.SA("a", "client"), nil, policies)
	first, second := l.current(), l.current()
	if !slices.IsSortedFunc(first, func(a, b status.LimitedPolicy) int { return a.Policy.Compare(b.Policy) }) || len(first) != len(policies) {
		t.Errorf("the limited policies are %v, want %d that are sorted", first, len(policies))
	}
	if &first[0] != &second[0] {
		t.Error("the list is made again without a change")
	}
	l.replace(meshtest.SA("a", "client"), policies, policies[:1])
	if got := l.current(); len(got) != 1 || got[0].Policy != policies[0] {
		t.Errorf("after a change, the limited policies are %v, want one", got)
	}
}
