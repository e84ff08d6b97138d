package snapshot

import (
	"fmt"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// trialMesh is a permissive mesh with a client of each kind: one without policies of its own, one that retries, one with a log and hosts outside the mesh, and
// two that load destinations on demand, of which one retries.
func trialMesh(t *testing.T) *permissiveMesh {
	t.Helper()
	m := &permissiveMesh{harness: newSyncedHarness(serviceRanges())}
	for i := range 5 {
		name := fmt.Sprint("s", i)
		pod := meshtest.Pod("a", name, name, name, fmt.Sprint("10.0.0.", i+1))
		pod.OnDemand = i >= 3
		service := meshtest.Service("a", name, name, fmt.Sprint("10.96.0.", i+1), uint16(80+i%2), inventory.ProtocolHTTP)
		m.apply(&catalog.Namespace{Name: "a", Monitored: true}, pod, accountOf(pod), service, meshtest.Slice(service.Name, pod))
		m.pods = append(m.pods, pod)
	}
	m.apply(&catalog.Settings{Permissive: true, RetryPolicies: true, EgressPolicies: true}, &telemetry.Policy{Name: meshtest.Name("a", "log"), Selector: m.pods[2].Labels, Text: "format"},
		&catalog.Egress{Name: meshtest.Name("a", "outside"), Sources: []identity.ServiceAccount{m.pods[2].Identity()}, Hosts: []string{"example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}})
	for _, i := range []int{1, 4} {
		m.apply(&retry.Policy{
			Name: meshtest.Name("a", fmt.Sprint("retry-", i)), Source: m.pods[i].Identity(),
			Destinations: []entity.Name{meshtest.Name("a", "s0"), meshtest.Name("a", "s1")}, Settings: retry.Settings{On: "5xx", Count: 7},
		})
	}
	for i := range 3 {
		split, group := m.splitOf(i, "/x")
		m.apply(split, group)
	}
	for _, pod := range m.pods {
		m.streams = append(m.streams, m.connect(t, pod))
	}
	return m
}

// TestTrialsOfEachKind compares the trials of clients of each kind without each of their policies with a full build, while nothing is quarantined, and while
// policies are.
func TestTrialsOfEachKind(t *testing.T) {
	m := trialMesh(t)
	split, _ := m.splitOf(0, "/x")
	differing, missing := 0, 0
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"nothing is quarantined", func() {}},
		{"a policy is quarantined for all", func() {
			for i := range m.pods {
				m.quarantine(i, split.Ref())
			}
		}},
		{"the policy is quarantined for some", func() { m.release(0, split.Ref()); m.release(3, split.Ref()) }},
		{"two Services claim an address", func() {
			claim := meshtest.Service("a", "claim", "s1", "10.96.0.1", 80, inventory.ProtocolHTTP)
			m.apply(claim, meshtest.Slice(claim.Name, m.pods[1]))
		}},
		{"two headless Services have the same pod port", func() {
			backend := meshtest.Pod("a", "backend", "backend", "s1", "10.0.0.9")
			m.apply(backend, meshtest.Group("a", "tail", "/x"), &catalog.TrafficSplit{
				Name: meshtest.Name("a", "tail"), Root: meshtest.Name("a", "tail"), Backends: []catalog.SplitBackend{{Service: meshtest.Name("a", "s1"), Weight: 1}}, Matches: []string{"tail"},
			})
			for _, service := range []*inventory.Service{headless("head", 90), headless("tail", 91)} {
				m.apply(service, meshtest.Slice(service.Name, backend))
			}
		}},
		{"destinations of their own", func() { m.apply(&catalog.Settings{RetryPolicies: true, EgressPolicies: true}) }},
	} {
		step.do()
		for i := range m.pods {
			n := m.scope(i)
			for _, policy := range (quarantineScopes{m.store}).Policies(n.key) {
				different, absent := m.checkTrial(stepFailer{t, fmt.Sprintf("%s, client %d", step.name, i)}, n, policy)
				differing, missing = differing+different, missing+absent
			}
		}
	}
	if differing < 20 || missing < 5 {
		t.Errorf("%d resources differ without a policy and %d do not exist; more must", differing, missing)
	}
}

// TestTrialsOfSharedDestinationsAreBuiltOnce counts what trials remember: one set for each policy, and one layer for each kind of client.
func TestTrialsOfSharedDestinationsAreBuiltOnce(t *testing.T) {
	m := trialMesh(t)
	split, _ := m.splitOf(0, "/x")
	policies := map[entity.Ref]struct{}{split.Ref(): {}}
	const name = "rds-outbound.80|a/s0"
	for range 2 {
		for i := range m.pods {
			m.store.hashWithout(m.scope(i), policies, resourcetype.Routes, name)
		}
		trial := m.store.trials.byPolicies[describePolicies(policies)]
		if len(m.store.trials.byPolicies) != 1 || trial == nil || len(trial.layers) != 3 {
			t.Fatalf("the trials are %v, want one with three layers", m.store.trials.byPolicies)
		}
		for key, l := range trial.layers {
			for kind, differing := range l.differing {
				for name, hash := range differing {
					if hash == hashOf(l.base.contents[kind][name]) {
						t.Errorf("%v: the layer of the trial remembers %s %s, which does not differ", key, resourcetype.Type(kind), name)
					}
				}
			}
		}
		before := trial.layers[m.scope(0).shared.key]
		if m.store.hashWithout(m.scope(0), policies, resourcetype.Routes, name); trial.layers[m.scope(0).shared.key] != before || before.base != m.scope(0).shared {
			t.Error("the layer of a trial is built again, or not from that of the clients")
		}
	}
}

// TestTrialsOfBrokenResources examines a resource that cannot be sent: its earlier version stays, and without one it has no hash.
func TestTrialsOfBrokenResources(t *testing.T) {
	m := trialMesh(t)
	n := m.scope(0)
	m.recordLog("")
	for name, content := range n.own.contents[resourcetype.Listeners] {
		if hash, exists := m.store.hashNamed(n, brokenListener(name), name); !exists || hash != content.Hash() {
			t.Errorf("the broken listener %s has the hash %v and exists: %t; want its earlier one", name, hash, exists)
		}
	}
	if hash, exists := m.store.hashNamed(n, brokenListener("new"), "new"); !exists || hash != (resource.Version{}) {
		t.Errorf("a broken new listener has the hash %v and exists: %t; want no hash", hash, exists)
	}
	if _, exists := m.store.hashNamed(n, nil, "none"); exists {
		t.Error("a resource exists though there is none")
	}
}

// TestRememberedTrialsAreBounded examines more sets of policies than are remembered.
func TestRememberedTrialsAreBounded(t *testing.T) {
	m := trialMesh(t)
	for i := range maxSharedTrials + 1 {
		m.store.trySharedWithout(map[entity.Ref]struct{}{{Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", fmt.Sprint(i))}: {}})
		want := i + 1
		if i == maxSharedTrials {
			want = 1
		}
		if got := len(m.store.trials.byPolicies); got != want {
			t.Errorf("after %d sets, %d are remembered, want %d", i+1, got, want)
		}
	}
}

// brokenListener returns a listener that cannot be marshalled.
func brokenListener(name string) []envoy.Resource {
	return []envoy.Resource{{TypeURL: resourcetype.Listeners.URL(), Name: name, Message: &listenerv3.Listener{Name: "\xff"}}}
}

// TestTrialsOfGatewaysKeepCertificates examines the listener of a gateway that keeps its certificate until a new Secret is read.
func TestTrialsOfGatewaysKeepCertificates(t *testing.T) {
	entries, ingress, _ := gatewayMesh()
	h := newSyncedHarness(append(entries, &catalog.GatewayCertificate{Name: meshtest.Name("shop", "tls"), ChainPEM: []byte("chain"), KeyPEM: []byte("key")})...)
	stream, err := h.tryConnect(peerOf(ingress))
	if err != nil {
		t.Fatal(err)
	}
	h.apply(httpsGateway("new"))
	content := contentOf(stream, resourcetype.Listeners, "gateway_443")
	if content == nil {
		t.Fatal("the gateway has no listener")
	}
	if hash, exists := h.store.hashWithout(stream.scope.Load(), nil, resourcetype.Listeners, content.Name()); !exists || hash != content.Hash() {
		t.Errorf("the listener of the trial exists: %t, and is the same: %t; want both", exists, hash == content.Hash())
	}
}
