package snapshot

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// slowMesh is a mesh with a tenant of 50 accounts, in which time passes while the Store works.
type slowMesh struct {
	*harness
	client   *inventory.Instance
	accounts []identity.ServiceAccount
	timers   []slowTimer
	edits    int
}

type slowTimer struct {
	at time.Time
	f  func()
}

func newSlowMesh(t *testing.T) *slowMesh {
	t.Helper()
	entries := twoServices()
	m := &slowMesh{harness: newSyncedHarness(entries...)}
	m.client, _ = podsOf(entries)
	m.connect(t, m.client)
	m.apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "hostile", Monitored: true})
	for i := range 50 {
		pod := meshtest.Pod("hostile", fmt.Sprint("pod-", i), "x", fmt.Sprint("account-", i), fmt.Sprintf("10.1.0.%d", i+1))
		m.accounts = append(m.accounts, pod.Identity())
		m.apply(pod, accountOf(pod))
		m.connect(t, pod)
	}
	m.clock = func() time.Time { // the Store reads the clock several times for each scope
		m.now = m.now.Add(time.Millisecond)
		return m.now
	}
	m.store.afterFunc = func(after time.Duration, f func()) { m.timers = append(m.timers, slowTimer{m.now.Add(after), f}) }
	return m
}

// edit changes an Egress of all accounts of the tenant, and returns how long the Store worked.
func (m *slowMesh) edit() time.Duration {
	m.edits++
	return m.change(&catalog.Egress{
		Name: meshtest.Name("hostile", "outside"), Sources: m.accounts, Hosts: []string{fmt.Sprintf("host-%d.example.com", m.edits)},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
	})
}

func (m *slowMesh) change(entry catalog.Entry) time.Duration {
	began := m.now
	m.apply(entry)
	return m.now.Sub(began)
}

// wait lets time pass, and returns how long the Store worked.
func (m *slowMesh) wait(d time.Duration) time.Duration {
	m.now = m.now.Add(d)
	began := m.now
	due := m.timers
	m.timers = nil
	for _, timer := range due {
		if timer.at.After(began) {
			m.timers = append(m.timers, timer)
		} else {
			timer.f()
		}
	}
	m.run()
	m.store.dropUnused()
	return m.now.Sub(began)
}

// hosts returns the hosts of the tenant's Egress that sidecars know.
func (m *slowMesh) hosts() []string {
	return m.store.catalog.View().Egress(meshtest.Name("hostile", "outside")).Hosts
}

// TestSlowChangesOfOneNamespaceLeaveTimeForOthers lets a tenant change a policy of many sidecars without a pause.
func TestSlowChangesOfOneNamespaceLeaveTimeForOthers(t *testing.T) {
	m := newSlowMesh(t)
	began, worked := m.now, time.Duration(0)
	for m.now.Sub(began) < 2*time.Minute {
		worked += m.edit()
		worked += m.wait(100 * time.Millisecond)
	}
	if part := 100 * worked.Seconds() / m.now.Sub(began).Seconds(); part < 15 || part > 40 {
		t.Errorf("changes of one namespace took %.0f%% of the time, want about 25%%", part)
	}
	if waiting := m.store.changeShares.changes; waiting > 1 {
		t.Errorf("%d versions of one object wait", waiting)
	}
	if took := m.change(meshtest.Target("t", meshtest.SA("a", "server"), nil, m.client.Identity())); took > 300*time.Millisecond {
		t.Errorf("the change of another namespace took %v", took)
	}
	for range 60 {
		m.wait(time.Second)
	}
	if want := fmt.Sprintf("host-%d.example.com", m.edits); !slices.Equal(m.hosts(), []string{want}) {
		t.Errorf("at the end the host is %v, want the last one, %s", m.hosts(), want)
	}
	for range 10 {
		m.wait(time.Minute)
	}
	if x := m.store.changeShares; len(x.measured)+len(x.waiting) != 0 {
		t.Errorf("afterwards %d namespaces are measured and %d wait", len(x.measured), len(x.waiting))
	}
}

// TestFewSlowChangesAreAppliedAtOnce changes a policy of many sidecars as often as a person does.
func TestFewSlowChangesAreAppliedAtOnce(t *testing.T) {
	m := newSlowMesh(t)
	for range 20 {
		m.edit()
		if want := fmt.Sprintf("host-%d.example.com", m.edits); !slices.Equal(m.hosts(), []string{want}) {
			t.Fatalf("after a change the host is %v, want %s", m.hosts(), want)
		}
		m.wait(5 * time.Second)
	}
}

// TestChangesOfOthersDoNotWait applies changes of a measured namespace and of another one in one batch, while the first has used its time.
func TestChangesOfOthersDoNotWait(t *testing.T) {
	m := newSlowMesh(t)
	for m.store.changeShares.changes == 0 {
		m.edit()
	}
	before, edits := m.hosts(), m.edits
	other := meshtest.Group("a", "other", "/other")
	m.store.Apply([]catalog.Change{
		catalog.Set(&catalog.Egress{Name: meshtest.Name("hostile", "outside"), Sources: m.accounts, Hosts: []string{"last.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}}),
		catalog.Set(&catalog.Egress{Name: meshtest.Name("hostile", "second"), Sources: m.accounts, Hosts: []string{"second.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}}),
		catalog.Set(other),
	})
	m.run()
	view := m.store.catalog.View()
	if view.HTTPRouteGroup(other.Name) == nil {
		t.Error("the change of another namespace waits")
	}
	if !slices.Equal(m.hosts(), before) || view.Egress(meshtest.Name("hostile", "second")) != nil {
		t.Errorf("changes of a namespace that has used its time are applied: hosts are %v after %d edits, want %v", m.hosts(), edits, before)
	}
	if got := testutil.ToFloat64(m.store.metrics.delayed); got != 2 {
		t.Errorf("%v changes are counted as waiting, want 2: one for each object", got)
	}
	for range 60 {
		m.wait(time.Second)
	}
	if got := testutil.ToFloat64(m.store.metrics.delayed); got != 0 || !slices.Equal(m.hosts(), []string{"last.example.com"}) {
		t.Errorf("in the end %v changes wait, and the hosts are %v; want none, and the last host", got, m.hosts())
	}
}
