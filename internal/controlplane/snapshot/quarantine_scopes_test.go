package snapshot

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRejectedResourceIsCurrent checks which rejected versions a scope still has.
func TestRejectedResourceIsCurrent(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	n, scopes := m.scope(0), quarantineScopes{m.store}
	find := func(contents *layer, t resourcetype.Type) quarantine.RejectedResource {
		for name, c := range contents.contents[t] {
			return quarantine.RejectedResource{Type: t, Name: name, Hash: c.Hash()}
		}
		return quarantine.RejectedResource{}
	}
	own, shared := find(&n.own, resourcetype.Listeners), find(&n.shared.layer, resourcetype.Clusters)
	missing, changed := own, shared
	missing.Name = "missing"
	changed.Hash = own.Hash
	other := m.newOwnScope(t)
	if n.shared == nil {
		t.Fatal("the scope does not share destinations")
	}
	for _, test := range []struct {
		name     string
		key      scope.Key
		resource quarantine.RejectedResource
		want     bool
	}{
		{"a resource of its own", n.key, own, true},
		{"a shared resource", n.key, shared, true},
		{"another version", n.key, changed, false},
		{"a resource that does not exist", n.key, missing, false},
		{"a resource without shared ones", other.key, find(&other.own, resourcetype.Listeners), true},
		{"a resource that does not exist, without shared ones", other.key, missing, false},
		{"a resource of a dropped scope", scope.Key{Identity: meshtest.SA("a", "gone")}, own, false},
	} {
		if got := scopes.IsCurrent(test.key, test.resource); got != test.want {
			t.Errorf("%s is current: %t, want %t", test.name, got, test.want)
		}
	}
	if got := scopes.Answers(scope.Key{Identity: meshtest.SA("a", "gone")}, nil); got != (quarantine.Answers{}) {
		t.Errorf("the answers of a dropped scope are %+v, want none", got)
	}
}

// newOwnScope returns the scope of a new pod in a namespace that is not permissive.
func (m *permissiveMesh) newOwnScope(t *testing.T) *scopeNode {
	t.Helper()
	strict := false
	pod := meshtest.Pod("strict", "pod", "pod", "pod", "10.0.1.1")
	service := meshtest.Service("strict", "pod", "pod", "10.96.1.1", 80, inventory.ProtocolHTTP)
	m.apply(&catalog.Namespace{Name: "strict", Monitored: true, Permissive: &strict}, pod, accountOf(pod), service, meshtest.Slice(service.Name, pod),
		meshtest.Group("strict", "all", "/"), meshtest.Target("pod", pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, pod.Identity()))
	n := m.connect(t, pod).scope.Load()
	if n.shared != nil {
		t.Fatal("the scope of the pod shares destinations")
	}
	return n
}

// TestAnswersOfProxies counts proxies that have answered, that have not, and that reject.
func TestAnswersOfProxies(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	second, third := meshtest.Pod("a", "second", "server", "server", "10.0.0.3"), meshtest.Pod("a", "third", "server", "server", "10.0.0.4")
	h := newSyncedHarness(append(entries, second, third)...)
	accepting := newFakeProxy(h, server)
	accepting.open(t)
	accepting.sync(t)
	pending, rejecting := h.connect(t, second), h.connect(t, third)
	key := accepting.stream.scope.Load().key
	want := quarantine.Answers{Accepted: 1, Pending: 1, Rejected: 1}
	if got := (quarantineScopes{h.store}).Answers(key, []quarantine.Proxy{rejecting.proxy()}); got != want {
		t.Errorf("the answers are %+v, want %+v", got, want)
	}
	if pending.scope.Load().key != key {
		t.Error("the pods have different scopes")
	}
}

// TestPoliciesOfASharingScope lists the policies that a scope depends on itself, and those that its shared destinations depend on.
func TestPoliciesOfASharingScope(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	split, group := m.splitOf(0, "/x")
	egress := &catalog.Egress{
		Name: meshtest.Name("a", "outside"), Sources: meshtest.Target("t", m.pods[1].Identity(), nil, m.pods[1].Identity()).Sources, Hosts: []string{"example.com"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}, Restricted: true, RouteGroups: []string{group.Name.Name},
	}
	upstream := &retry.Policy{
		Name: meshtest.Name("a", "retry"), Source: m.pods[1].Identity(), Destinations: []entity.Name{m.pods[0].Name}, Settings: retry.Settings{On: "5xx", Count: 1},
	}
	m.apply(&catalog.Settings{Permissive: true, EgressPolicies: true, RetryPolicies: true}, split, group, egress, upstream)
	n := m.scope(1)
	if n.shared == nil {
		t.Fatal("the scope does not share destinations")
	}
	got := quarantineScopes{m.store}.Policies(n.key)
	for _, want := range []entity.Ref{split.Ref(), group.Ref(), egress.Ref()} {
		if !slices.Contains(got, want) {
			t.Errorf("the policies of the scope are %v, want %v among them", got, want)
		}
	}
	sorted := slices.Clone(got)
	slices.SortFunc(sorted, entity.Ref.Compare)
	if sorted = slices.Compact(sorted); !slices.Equal(got, sorted) {
		t.Errorf("the policies of the scope are %v, want each once, sorted: %v", got, sorted)
	}
}
