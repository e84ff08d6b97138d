package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestReconnectsBuildNothing opens and closes streams of one pod, as a broken or hostile sidecar does.
func TestReconnectsBuildNothing(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	client, _ := podsOf(entries)
	var first *scopeNode
	for range 100 {
		stream := h.connect(t, client)
		if n := stream.scope.Load(); first == nil {
			first = n
		} else if n != first {
			t.Fatal("a scope was built again for a new stream of the same pod")
		}
		stream.Close()
		h.run()
		h.advance(time.Second)
	}
	h.advance(idleTime)
	if len(h.store.scopes)+len(h.store.idle)+len(h.store.identities) != 0 {
		t.Error("a scope without streams stays for ever")
	}
}

// TestIdleScopesAreNotRebuilt changes what a scope without streams was built from: that costs nothing until the pod connects again.
func TestIdleScopesAreNotRebuilt(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	client, server := podsOf(entries)
	stream := h.connect(t, client)
	stream.Close()
	h.run()
	h.apply(meshtest.Service("a", "other", "server", "10.96.0.9", 81, inventory.ProtocolHTTP))
	if h.apply(meshtest.Target("t", server.Identity(), nil, client.Identity())); len(h.store.scopes) != 0 {
		t.Error("a scope without streams was rebuilt")
	}
	if stream = h.connect(t, client); stream.scope.Load().built == nil {
		t.Error("the pod has no configuration")
	}
}

// TestIdleScopesLeaveTheBudget checks that scopes without streams do not take the room of others of their namespace.
func TestIdleScopesLeaveTheBudget(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	client, server := podsOf(entries)
	h.store.budgets.least = 1
	h.connect(t, server).Close()
	h.run()
	h.store.budgets.maximum = h.store.budgets.bytes["a"]
	stream := h.connect(t, client)
	if h.store.budgets.isRefused(stream.scope.Load()) {
		t.Error("a scope without streams takes the room of another one")
	}
}

// TestMakeRoomDropsLargeIdleScopesOfTheNamespace has idle scopes of several sizes and namespaces when one is too large for the budget.
func TestMakeRoomDropsLargeIdleScopesOfTheNamespace(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	small := meshtest.Pod("a", "small", "small", "small", "10.0.0.6")
	remote := meshtest.Pod("b", "remote", "remote", "remote", "10.0.0.7")
	service := meshtest.Service("b", "remote", "remote", "10.96.0.7", 80, inventory.ProtocolHTTP)
	h := newSyncedHarness(append(entries, small, accountOf(small), &catalog.Namespace{Name: "b", Monitored: true}, remote, accountOf(remote), service, meshtest.Slice(service.Name, remote),
		meshtest.Group("b", "all", "/"), meshtest.Target("f", remote.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, client.Identity()))...)
	h.store.budgets.least = 4096 // what a port needs
	nodes := map[string]*scopeNode{}
	for name, pod := range map[string]*inventory.Instance{"large": server, "small": small, "remote": remote} {
		stream := h.connect(t, pod)
		nodes[name] = stream.scope.Load()
		if _, isLarge := h.store.budgets.large[nodes[name]]; isLarge != (name != "small") {
			t.Fatalf("the %s scope is counted as large: %t, with %d bytes", name, isLarge, nodes[name].bytes)
		}
		stream.Close()
	}
	h.run()
	if !h.store.makeRoom("a") || h.store.makeRoom("a") {
		t.Error("room is not made once")
	}
	for name, n := range nodes {
		if got, want := h.store.scopes[n.key] == n, name != "large"; got != want {
			t.Errorf("the %s scope stays: %t, want %t", name, got, want)
		}
	}
}

// advance lets time pass and does what the Store does each second.
func (h *harness) advance(d time.Duration) {
	h.now = h.now.Add(d)
	h.store.dropIdleScopes()
	h.run()
}

// TestRevisionsOfAPodAreOneScope gives one pod many values of the label of its revision, before and after it connects, as its owner can. The stream has the
// latest one, and nothing else is built for it.
func TestRevisionsOfAPodAreOneScope(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	client, _ := podsOf(entries)
	for _, revision := range []string{"r1", "r2", "r3"} {
		before, after := *client, *client
		before.Revision, after.Revision = revision+"-before", revision
		h.apply(&before)
		stream := h.connect(t, &before)
		if got := stream.Revision(); got != before.Revision {
			t.Errorf("a new stream has the revision %q, want %q", got, before.Revision)
		}
		h.apply(&after)
		if got := stream.Revision(); got != revision {
			t.Errorf("after a change, the stream has the revision %q, want %q", got, revision)
		}
		stream.Close()
		h.run()
	}
	if got := len(h.store.scopes); got != 1 {
		t.Errorf("one pod has caused %d scopes, want 1", got)
	}
}

// TestLabelsOfOnePodCauseFewScopes gives one pod many sets of labels, each of which selects other Services, and lets it connect with each of them.
func TestLabelsOfOnePodCauseFewScopes(t *testing.T) {
	pod := meshtest.Pod("evil", "p", "p", "p", "10.0.0.1")
	entries := []catalog.Entry{&catalog.Settings{}, &catalog.Namespace{Name: "evil", Monitored: true}, pod, accountOf(pod)}
	const services = 30
	for i := range services {
		name := fmt.Sprintf("s-%02d", i)
		entries = append(entries, meshtest.Service("evil", name, name, fmt.Sprintf("10.96.0.%d", i+1), 80, inventory.ProtocolHTTP))
	}
	h := newSyncedHarness(entries...)
	for i := range services {
		changed := *pod
		changed.Labels = map[string]string{"app": fmt.Sprintf("s-%02d", i)}
		h.apply(&changed)
		h.connect(t, &changed).Close()
		h.advance(time.Millisecond)
		if got := len(h.store.scopes); got > spareIdle+1 {
			t.Fatalf("%d scopes exist for one pod, want at most %d", got, spareIdle+1)
		}
	}
	if got := len(h.store.scopes); got != spareIdle+1 {
		t.Errorf("%d scopes are left, want the last %d", got, spareIdle+1)
	}
	h.advance(idleTime)
	if left := len(h.store.scopes) + len(h.store.idle); left > 0 {
		t.Errorf("%d things are left after all scopes were dropped", left)
	}
}

// TestIdleScopesBeyondThePodsFitIntoTheBudget leaves many small scopes of one account, and of many accounts, without a stream. A few stay in any case, and the
// others as far as the namespace has room for them.
func TestIdleScopesBeyondThePodsFitIntoTheBudget(t *testing.T) {
	for name, test := range map[string]struct{ accounts, maximum, want int }{
		"one account, no room":   {1, 0, idleOfAccount},
		"one account, room":      {1, maxNamespaceBytes, 100},
		"many accounts, no room": {100, 0, idleOfNamespace},
		"many accounts, room":    {100, maxNamespaceBytes, 100},
	} {
		t.Run(name, func(t *testing.T) {
			entries := []catalog.Entry{&catalog.Settings{}, &catalog.Namespace{Name: "evil", Monitored: true}}
			var pods []*inventory.Instance
			for i := range 100 {
				account, app := fmt.Sprint("account-", i%test.accounts), fmt.Sprint("s-", i)
				pod := meshtest.Pod("evil", fmt.Sprint("p-", i), app, account, fmt.Sprintf("10.0.1.%d", i+1))
				pods = append(pods, pod)
				entries = append(entries, pod, accountOf(pod), meshtest.Service("evil", app, app, fmt.Sprintf("10.96.0.%d", i+1), 80, inventory.ProtocolHTTP))
			}
			h := newSyncedHarness(entries...)
			h.store.budgets.maximum = test.maximum
			for _, pod := range pods {
				h.connect(t, pod).Close()
				h.advance(time.Millisecond)
			}
			if got := len(h.store.scopes); got != test.want {
				t.Errorf("%d scopes are left, want %d", got, test.want)
			}
			last := pods[len(pods)-1]
			if h.connect(t, last); len(h.store.scopes) != test.want {
				t.Error("the last scope is not among them")
			}
			h.advance(idleTime)
			if left := h.store.budgets.idle["evil"]; left != 0 || len(h.store.scopes) != 1 {
				t.Errorf("%d bytes and %d scopes are left after all without a stream were dropped", left, len(h.store.scopes))
			}
		})
	}
}
