package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// asideMesh is a mesh whose scopes are all translated on other goroutines. Changes are applied during the translations.
type asideMesh struct {
	*harness
	server, client, hostile *Stream
}

func newAsideMesh(t *testing.T) *asideMesh {
	t.Helper()
	entries := twoServices()
	m := &asideMesh{harness: newSyncedHarness(entries...)}
	client, server := podsOf(entries)
	pod := meshtest.Pod("hostile", "pod", "x", "x", "10.1.0.1")
	m.apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "hostile", Monitored: true}, pod, accountOf(pod))
	m.client, m.server, m.hostile = m.connect(t, client), m.connect(t, server), m.connect(t, pod)
	m.store.running.leastAside = 0
	return m
}

// during applies a change while the next scope is translated. The translation ends when the change was applied.
func (m *asideMesh) during(t *testing.T, changes ...catalog.Entry) {
	t.Helper()
	m.store.running.start = func(translate func()) {
		if len(changes) == 0 {
			go translate()
			return
		}
		var list []catalog.Change
		for _, entry := range changes {
			list = append(list, catalog.Set(entry))
		}
		changes = nil
		queuedAt := m.now // the clock belongs to the Store's goroutine
		go func() {
			m.store.queue.addChanges(list, queuedAt)
			for end := time.Now().Add(20 * time.Second); m.store.queue.changeCount() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("a change of another namespace waits until the scope is translated")
					break
				}
			}
			translate()
		}()
	}
}

// egressOf is an Egress of the hostile pod.
func egressOf(namespace, host string) *catalog.Egress {
	return &catalog.Egress{
		Name: meshtest.Name(namespace, "outside"), Sources: meshtest.Target("t", meshtest.SA("hostile", "x"), nil, meshtest.SA("hostile", "x")).Sources, Hosts: []string{host},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
	}
}

// TestChangesOfOthersInterruptATranslation lets a change of another namespace come while the sidecar of a tenant is translated.
func TestChangesOfOthersInterruptATranslation(t *testing.T) {
	m := newAsideMesh(t)
	before := len(takeChanges(m.server)["RDS"])
	m.during(t, meshtest.Group("a", "routes", "/other"))
	m.apply(egressOf("hostile", "one.example.com"))
	if len(takeChanges(m.server)["RDS"]) == 0 {
		t.Errorf("the change has not reached its sidecar; before it were %d", before)
	}
	if routes := len(takeChanges(m.hostile)["RDS"]); routes == 0 {
		t.Error("the interrupted change has not reached its sidecar")
	}
}

// TestTranslationsAreRepeated lets changes come that affect the scope that is translated. The scope must have them, and both traces its stream.
func TestTranslationsAreRepeated(t *testing.T) {
	m := newAsideMesh(t)
	m.apply(&catalog.Settings{EgressPolicies: true, Namespace: "osm-system"})
	own, other := egressOf("hostile", "one.example.com"), egressOf("osm-system", "two.example.com")
	m.during(t, other, meshtest.Group("a", "routes", "/other"))
	m.apply(own)
	hosts := map[string]bool{}
	for _, port := range m.hostile.scope.Load().built.EgressPorts {
		for _, host := range port.Hosts {
			hosts[fmt.Sprint(host.Host)] = true
		}
	}
	if len(hosts) != 2 {
		t.Errorf("the scope has the hosts %v, want both", hosts)
	}
	for _, entry := range []catalog.Entry{own, other} {
		found := false
		for _, trace := range m.store.Traces() {
			for _, o := range trace.Objects {
				if o.Ref != entry.Ref() {
					continue
				}
				found = true
				if trace.Open == 0 || trace.Streams == 0 {
					t.Errorf("%v: the trace has %d streams, %d open", o.Ref, trace.Streams, trace.Open)
				}
			}
		}
		if !found {
			t.Errorf("%v has no trace", entry.Ref())
		}
		if p := m.policy(t, entry.Ref()); p.Proxies != 1 || len(p.Pending) != 1 {
			t.Errorf("%v: %d proxies, pending %v", entry.Ref(), p.Proxies, p.Pending)
		}
	}
}

// TestDroppedScopesAreNotEdited deletes the pod of a scope while it is translated.
func TestDroppedScopesAreNotEdited(t *testing.T) {
	m := newAsideMesh(t)
	n := m.hostile.scope.Load()
	m.during(t, meshtest.Pod("hostile", "pod", "x", "another", "10.1.0.1"))
	m.apply(egressOf("hostile", "one.example.com"))
	m.advanceIdle()
	if m.store.scopes[n.key] == n || len(m.store.scopeIndex.Dependencies[n]) > 0 {
		t.Error("the scope is still in use")
	}
	if size := len(n.own.contents[resourcetype.Routes]); size > 1 {
		t.Errorf("the dropped scope has %d routes", size)
	}
}

// advanceIdle drops scopes without streams.
func (m *asideMesh) advanceIdle() {
	m.now = m.now.Add(2 * idleTime)
	m.store.dropUnused()
	m.run()
}
