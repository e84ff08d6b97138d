package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// authorities are two roots, and two intermediates below a third root.
var authorities = []Authority{
	oldRoot, newRoot,
	{Issuer: "c1", Anchor: "c", Trusted: []string{"c"}},
	{Issuer: "c2", Anchor: "c", Trusted: []string{"c"}},
}

// placed is an authority in a trust domain.
func placed(a Authority, domain string) Authority {
	a.Domains = identity.OneTrustDomain(domain)
	return a
}

// sidecar is a modelled sidecar: the trust and the certificate that it uses.
type sidecar struct {
	replica int
	trusted []string
	// issuer and anchor are those of its certificate.
	issuer, anchor string
	// clients and servers are the trust domains that it accepts, and domain that of its certificate.
	clients, servers []string
	domain           string
	// opened are the trust domains of the certificates with which its open connections were opened.
	opened string
	// cut is true while it has no connection to its replica, and waits until it has its first certificate.
	cut, waits bool
}

// peer is a modelled peer. It trusts what it has declared, and the roots that it last received if it follows them.
type peer struct {
	declared, received []string
	follows, cut       bool
}

func (p peer) trusted() []string {
	if !p.follows {
		return p.declared
	}
	return union(p.declared, p.received)
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
	peers    []peer
}

// loaded is what a replica has loaded.
type loaded struct {
	authority Authority
	since     time.Time
}

func newModel() *model {
	first := placed(oldRoot, "a")
	m := &model{now: noon, desired: first, active: first, since: noon.Add(-time.Hour)}
	for range 2 {
		m.replicas = append(m.replicas, loaded{first, noon.Add(-time.Hour)})
	}
	for i := range 3 {
		m.sidecars = append(m.sidecars, sidecar{
			replica: i % 2, trusted: first.Trusted, issuer: first.Issuer, anchor: first.Anchor,
			clients: first.Domains.Clients, servers: first.Domains.Servers, domain: "a", opened: "a",
		})
	}
	for range 2 {
		m.peers = append(m.peers, peer{declared: first.Trusted, received: first.Trusted, follows: true})
	}
	return m
}

// synced reports whether a sidecar has what its replica serves.
func (m *model) synced(s sidecar) bool {
	return slices.Equal(s.trusted, m.replicas[s.replica].authority.Trusted)
}

// upToDate reports whether a sidecar accepts the trust domains that its replica serves.
func (m *model) upToDate(s sidecar) bool {
	served := m.replicas[s.replica].authority.Domains
	return m.synced(s) && slices.Equal(s.clients, served.Clients) && slices.Equal(s.servers, served.Servers)
}

func (m *model) observe() Observed {
	o := Observed{Now: m.now, Desired: m.desired, Active: m.active, Since: m.since, MountDelay: time.Minute}
	for i, r := range m.replicas {
		reported := Replica{Name: fmt.Sprint(i), Issuer: r.authority.Issuer, Trusted: r.authority.Trusted, Domains: r.authority.Domains, Since: r.since}
		for j, s := range m.sidecars {
			if s.replica == i && !s.cut {
				reported.Proxies = append(reported.Proxies, Proxy{
					Name: fmt.Sprint(j), UsesCertificates: true, AwaitsCertificate: s.waits, Synced: m.synced(s) && !s.waits, UpToDate: m.upToDate(s) && !s.waits,
					Issuer: s.issuer, Domain: s.domain,
				})
			}
		}
		o.Replicas = append(o.Replicas, reported)
	}
	for j := range m.sidecars {
		o.Sidecars = append(o.Sidecars, fmt.Sprint(j))
	}
	for j, p := range m.peers {
		observed := Peer{Name: fmt.Sprint(j), Trusted: p.trusted()}
		if p.cut {
			observed.Problem = "is away"
		}
		o.Peers = append(o.Peers, observed)
	}
	return o
}

// reconcile is one reconciliation of the operator.
func (m *model) reconcile() Decision {
	decision := Decide(m.observe())
	if !equal(decision.Next, m.active) {
		m.active, m.since = decision.Next, m.now
	}
	return decision
}

// load lets a replica load the active authority.
func (m *model) load(i int) {
	if r := &m.replicas[i]; !equal(r.authority, m.active) {
		*r = loaded{m.active, m.now}
	}
}

// equal reports whether control planes use two authorities alike.
func equal(a, b Authority) bool {
	return a.Issuer == b.Issuer && slices.Equal(a.Trusted, b.Trusted) && a.Domains.Equal(b.Domains)
}

// The receive methods let a connected sidecar acknowledge what its replica serves.
func (m *model) receiveTrust(i int) {
	if m.sidecars[i].cut {
		return
	}
	m.sidecars[i].trusted = m.replicas[m.sidecars[i].replica].authority.Trusted
}

// receiveCertificate also gives a sidecar that starts what its replica has sent before.
func (m *model) receiveCertificate(i int) {
	if m.sidecars[i].cut {
		return
	}
	a := m.replicas[m.sidecars[i].replica].authority
	if s := &m.sidecars[i]; s.waits {
		s.waits, s.trusted, s.clients, s.servers, s.opened = false, a.Trusted, a.Domains.Clients, a.Domains.Servers, a.Domains.Issued
	}
	m.sidecars[i].issuer, m.sidecars[i].anchor, m.sidecars[i].domain = a.Issuer, a.Anchor, a.Domains.Issued
}

// receivePeer lets a connected peer receive the roots that a replica serves.
func (m *model) receivePeer(i, replica int) {
	if p := &m.peers[i]; !p.cut {
		p.received = m.replicas[replica].authority.Trusted
	}
}

// restart replaces a sidecar by one without a certificate.
func (m *model) restart(i int) {
	m.sidecars[i] = sidecar{replica: m.sidecars[i].replica, waits: true}
}

func (m *model) receiveClients(i int) {
	if s := &m.sidecars[i]; !s.cut {
		s.clients = m.replicas[s.replica].authority.Domains.Clients
	}
}

// receiveServers closes the connections of a sidecar if it accepts other servers from now on, and opens them with its certificate.
func (m *model) receiveServers(i int) {
	s := &m.sidecars[i]
	if servers := m.replicas[s.replica].authority.Domains.Servers; !s.cut && !slices.Equal(s.servers, servers) {
		s.servers, s.opened = servers, s.domain
	}
}

// verify checks that every sidecar accepts the certificate of every other, and the requests on open connections, and that every peer accepts them.
func (m *model) verify(t *rapid.T) {
	m.verifyPeers(t)
	for i, client := range m.sidecars {
		for j, server := range m.sidecars {
			if client.waits || server.waits {
				continue
			}
			if !slices.Contains(client.trusted, server.anchor) {
				t.Fatalf("sidecar %d trusts %v and rejects the certificate of sidecar %d, which is of %s", i, client.trusted, j, server.anchor)
			}
			if !slices.Contains(client.servers, server.domain) {
				t.Fatalf("sidecar %d accepts servers of %v and rejects sidecar %d, which is in %s", i, client.servers, j, server.domain)
			}
			if !slices.Contains(server.clients, client.domain) || !slices.Contains(server.clients, client.opened) {
				t.Fatalf("sidecar %d accepts clients of %v and rejects sidecar %d, which is in %s and has connections of %s", j, server.clients, i, client.domain, client.opened)
			}
		}
	}
}

func (m *model) verifyPeers(t *rapid.T) {
	for i, p := range m.peers {
		for j, server := range m.sidecars {
			if trusted := p.trusted(); !server.waits && !slices.Contains(trusted, server.anchor) {
				t.Fatalf("peer %d trusts %v and rejects the certificate of sidecar %d, which is of %s", i, trusted, j, server.anchor)
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
			m.receiveClients(i)
			m.verify(t)
			m.receiveServers(i)
			m.verify(t)
		}
		if i != lagging {
			m.receiveCertificate(i)
			m.verify(t)
		}
	}
}

// synchronize connects all sidecars and peers, lets everything arrive, and returns whether the rotation completed.
func (m *model) synchronize(t *rapid.T) bool {
	for i := range m.sidecars {
		m.sidecars[i].cut = false
	}
	for i := range m.peers {
		m.peers[i].cut = false
	}
	for range 30 {
		m.now = m.now.Add(2 * time.Minute)
		decision := m.reconcile()
		m.verify(t)
		m.pass(t, -1, true)
		for i := range m.peers {
			m.receivePeer(i, 0)
		}
		if decision.Phase == Idle && m.active.Issuer == m.desired.Issuer && slices.Equal(m.active.Trusted, m.desired.Trusted) &&
			slices.Equal(m.active.Domains.Clients, []string{m.desired.Domains.Issued}) && slices.Equal(m.active.Domains.Servers, m.active.Domains.Clients) {
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
		sidecars, peers := rapid.IntRange(0, len(m.sidecars)-1), rapid.IntRange(0, len(m.peers)-1)
		t.Repeat(map[string]func(*rapid.T){
			"": m.verify,
			"declare": func(t *rapid.T) {
				m.desired = placed(rapid.SampledFrom(authorities).Draw(t, "desired"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "trust domain"))
			},
			"clients":     func(t *rapid.T) { m.receiveClients(sidecars.Draw(t, "sidecar")) },
			"servers":     func(t *rapid.T) { m.receiveServers(sidecars.Draw(t, "sidecar")) },
			"reconcile":   func(*rapid.T) { m.reconcile() },
			"load":        func(t *rapid.T) { m.load(rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")) },
			"trust":       func(t *rapid.T) { m.receiveTrust(sidecars.Draw(t, "sidecar")) },
			"disconnect":  func(t *rapid.T) { m.sidecars[sidecars.Draw(t, "sidecar")].cut = true },
			"connect":     func(t *rapid.T) { m.sidecars[sidecars.Draw(t, "sidecar")].cut = false },
			"restart":     func(t *rapid.T) { m.restart(sidecars.Draw(t, "sidecar")) },
			"certificate": func(t *rapid.T) { m.receiveCertificate(sidecars.Draw(t, "sidecar")) },
			"peer": func(t *rapid.T) {
				m.receivePeer(peers.Draw(t, "peer"), rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica"))
			},
			"cut peer": func(t *rapid.T) {
				i := peers.Draw(t, "peer")
				m.peers[i].cut = !m.peers[i].cut
			},
			"pass": func(t *rapid.T) {
				m.now = m.now.Add(2 * time.Minute)
				m.reconcile()
				m.pass(t, sidecars.Draw(t, "lagging"), rapid.Bool().Draw(t, "trust"))
			},
		})
		if !m.synchronize(t) {
			t.Fatalf("the rotation to %v does not complete: %+v", m.desired, Decide(m.observe()))
		}
	})
}

// A sidecar that is stopped holds the rotation, and is named. It continues by itself afterwards.
func TestStoppedSidecarHoldsTheRotation(t *testing.T) {
	m := newModel()
	m.desired = placed(newRoot, "b")
	for range 10 {
		m.now = m.now.Add(2 * time.Minute)
		m.reconcile()
		m.load(0)
		m.load(1)
		m.receivePeer(0, 0)
		m.receivePeer(1, 1)
		for i := range m.sidecars[1:] {
			m.receiveTrust(i + 1)
			m.receiveClients(i + 1)
			m.receiveServers(i + 1)
			m.receiveCertificate(i + 1)
		}
	}
	decision := m.reconcile()
	if decision.Phase != WaitingForTrust || len(decision.Waiting) != 1 || m.active.Issuer != oldRoot.Issuer {
		t.Fatalf("phase %s waits for %q, want it to wait for the stopped sidecar only", decision.Phase, decision.Waiting)
	}
	rapid.Check(t, func(t *rapid.T) {
		again := *m
		again.sidecars, again.replicas, again.peers = slices.Clone(m.sidecars), slices.Clone(m.replicas), slices.Clone(m.peers)
		if !again.synchronize(t) {
			t.Fatal("the rotation does not continue")
		}
	})
}
