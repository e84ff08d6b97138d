package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// authorities are two roots, and two intermediates below a third root.
var authorities = []Authority{
	oldRoot, newRoot,
	{Issuer: "c1", Anchor: "c", Trusted: []string{"c"}},
	{Issuer: "c2", Anchor: "c", Trusted: []string{"c"}},
}

// sidecar is a modelled sidecar: the trust and the certificate that it uses.
type sidecar struct {
	replica int
	trusted []string
	// issuer and anchor are those of its certificate.
	issuer, anchor string
	// cut is true while it has no connection to its replica.
	cut bool
}

// model is a mesh in which everything arrives with any delay. Nothing in it remembers what was decided: a restart of the operator
// at any point is part of every run.
type model struct {
	now      time.Time
	desired  Authority
	active   Authority
	since    time.Time
	replicas []loaded
	sidecars []sidecar
}

// loaded is what a replica has loaded.
type loaded struct {
	authority Authority
	since     time.Time
}

func newModel() *model {
	m := &model{now: noon, desired: oldRoot, active: oldRoot, since: noon.Add(-time.Hour)}
	for range 2 {
		m.replicas = append(m.replicas, loaded{oldRoot, noon.Add(-time.Hour)})
	}
	for i := range 3 {
		m.sidecars = append(m.sidecars, sidecar{replica: i % 2, trusted: oldRoot.Trusted, issuer: oldRoot.Issuer, anchor: oldRoot.Anchor})
	}
	return m
}

// synced reports whether a sidecar has what its replica serves.
func (m *model) synced(s sidecar) bool {
	return slices.Equal(s.trusted, m.replicas[s.replica].authority.Trusted)
}

func (m *model) observe() Observed {
	o := Observed{Now: m.now, Desired: m.desired, Active: m.active, Since: m.since, MountDelay: time.Minute}
	for i, r := range m.replicas {
		reported := Replica{Name: fmt.Sprint(i), Issuer: r.authority.Issuer, Trusted: r.authority.Trusted, Since: r.since}
		for j, s := range m.sidecars {
			if s.replica == i && !s.cut {
				reported.Proxies = append(reported.Proxies, Proxy{Name: fmt.Sprint(j), UsesCertificates: true, Synced: m.synced(s), Issuer: s.issuer})
			}
		}
		o.Replicas = append(o.Replicas, reported)
	}
	for j := range m.sidecars {
		o.Sidecars = append(o.Sidecars, fmt.Sprint(j))
	}
	return o
}

// reconcile is one reconciliation of the operator.
func (m *model) reconcile() Decision {
	decision := Decide(m.observe())
	if decision.Next.Issuer != m.active.Issuer || !slices.Equal(decision.Next.Trusted, m.active.Trusted) {
		m.active, m.since = decision.Next, m.now
	}
	return decision
}

// load lets a replica load the active authority.
func (m *model) load(i int) {
	if r := &m.replicas[i]; r.authority.Issuer != m.active.Issuer || !slices.Equal(r.authority.Trusted, m.active.Trusted) {
		*r = loaded{m.active, m.now}
	}
}

// receiveTrust and receiveCertificate let a connected sidecar acknowledge what its replica serves.
func (m *model) receiveTrust(i int) {
	if m.sidecars[i].cut {
		return
	}
	m.sidecars[i].trusted = m.replicas[m.sidecars[i].replica].authority.Trusted
}

func (m *model) receiveCertificate(i int) {
	if m.sidecars[i].cut {
		return
	}
	a := m.replicas[m.sidecars[i].replica].authority
	m.sidecars[i].issuer, m.sidecars[i].anchor = a.Issuer, a.Anchor
}

// verify checks that every sidecar accepts the certificate of every other.
func (m *model) verify(t *rapid.T) {
	for i, client := range m.sidecars {
		for j, server := range m.sidecars {
			if !slices.Contains(client.trusted, server.anchor) {
				t.Fatalf("sidecar %d trusts %v and rejects the certificate of sidecar %d, which is of %s", i, client.trusted, j, server.anchor)
			}
		}
	}
}

// pass lets everything arrive except at one sidecar, which may get the trust.
func (m *model) pass(t *rapid.T, lagging int, trust bool) {
	for i := range m.replicas {
		m.load(i)
	}
	for i := range m.sidecars {
		if i != lagging || trust {
			m.receiveTrust(i)
			m.verify(t)
		}
		if i != lagging {
			m.receiveCertificate(i)
			m.verify(t)
		}
	}
}

// settle connects all sidecars, lets everything arrive, and returns whether the rotation completed.
func (m *model) settle(t *rapid.T) bool {
	for i := range m.sidecars {
		m.sidecars[i].cut = false
	}
	for range 20 {
		m.now = m.now.Add(2 * time.Minute)
		decision := m.reconcile()
		m.verify(t)
		m.pass(t, -1, true)
		if decision.Phase == Idle && m.active.Issuer == m.desired.Issuer && slices.Equal(m.active.Trusted, m.desired.Trusted) {
			return true
		}
	}
	return false
}

// Whatever is desired in whatever order, and however late anything arrives: no sidecar ever rejects another one, and the rotation
// completes when everything has arrived.
func TestRotationNeverBreaksTrust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		sidecars := rapid.IntRange(0, len(m.sidecars)-1)
		t.Repeat(map[string]func(*rapid.T){
			"":            m.verify,
			"declare":     func(t *rapid.T) { m.desired = rapid.SampledFrom(authorities).Draw(t, "desired") },
			"reconcile":   func(*rapid.T) { m.reconcile() },
			"load":        func(t *rapid.T) { m.load(rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")) },
			"trust":       func(t *rapid.T) { m.receiveTrust(sidecars.Draw(t, "sidecar")) },
			"disconnect":  func(t *rapid.T) { m.sidecars[sidecars.Draw(t, "sidecar")].cut = true },
			"connect":     func(t *rapid.T) { m.sidecars[sidecars.Draw(t, "sidecar")].cut = false },
			"certificate": func(t *rapid.T) { m.receiveCertificate(sidecars.Draw(t, "sidecar")) },
			"pass": func(t *rapid.T) {
				m.now = m.now.Add(2 * time.Minute)
				m.reconcile()
				m.pass(t, sidecars.Draw(t, "lagging"), rapid.Bool().Draw(t, "trust"))
			},
		})
		if !m.settle(t) {
			t.Fatalf("the rotation to %v does not complete: %+v", m.desired, Decide(m.observe()))
		}
	})
}

// A sidecar that is stopped holds the rotation, and is named. It continues by itself afterwards.
func TestStoppedSidecarHoldsTheRotation(t *testing.T) {
	m := newModel()
	m.desired = newRoot
	for range 10 {
		m.now = m.now.Add(2 * time.Minute)
		m.reconcile()
		m.load(0)
		m.load(1)
		for i := range m.sidecars[1:] {
			m.receiveTrust(i + 1)
			m.receiveCertificate(i + 1)
		}
	}
	decision := m.reconcile()
	if decision.Phase != WaitingForTrust || len(decision.Waiting) != 1 || m.active.Issuer != oldRoot.Issuer {
		t.Fatalf("phase %s waits for %q, want it to wait for the stopped sidecar only", decision.Phase, decision.Waiting)
	}
	rapid.Check(t, func(t *rapid.T) {
		again := *m
		again.sidecars, again.replicas = slices.Clone(m.sidecars), slices.Clone(m.replicas)
		if !again.settle(t) {
			t.Fatal("the rotation does not continue")
		}
	})
}
