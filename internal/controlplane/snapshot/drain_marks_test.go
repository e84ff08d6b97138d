package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// drainModel is a pod with two TCP ports, a sidecar of it, and replicas that start and stop. It records which chains the sidecar drains.
type drainModel struct {
	server   *catalog.Pod
	entries  []catalog.Entry
	replicas []*harness
	proxy    *fakeProxy
	// granted has the clients that may connect, by port.
	granted map[uint16]map[string]bool
	// marks are the drain marks at the sidecar, by chain; nil before the first listener.
	marks map[string]string
	// held are the clients that the sidecar allowed at the last check, and lost those that lost a permission at any time since then.
	held map[uint16]map[string]bool
	lost map[uint16]bool
	// records has the losses that each replica observed, by port, and record those from which the sidecar's marks come.
	records map[*harness]map[uint16]string
	record  map[uint16]string
	log     []string
}

var (
	drainPorts   = []uint16{9000, 9001}
	drainClients = []string{"client", "guest", "third"}
)

func newDrainModel(t *testing.T) *drainModel {
	m := &drainModel{
		server: meshtest.Pod("a", "server", "server", "server", "10.0.0.2"), lost: map[uint16]bool{},
		records: map[*harness]map[uint16]string{}, record: map[uint16]string{},
		granted: map[uint16]map[string]bool{9000: {"client": true, "guest": true}, 9001: {"client": true}},
	}
	m.entries = []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{}, m.server, accountOf(m.server)}
	for i, port := range drainPorts {
		service := meshtest.Service("a", fmt.Sprint("server-", port), "server", fmt.Sprint("10.96.0.", i+1), port, catalog.ProtocolTCP)
		m.entries = append(m.entries, service, meshtest.Slice(service.Name, m.server),
			&catalog.TCPRoute{Name: meshtest.Name("a", fmt.Sprint("port-", port)), Ports: []uint16{port}})
	}
	m.replicas = []*harness{m.replica(), m.replica()}
	m.connect(t, m.replicas[0])
	return m
}

// replica starts a replica, which has the present objects and nothing else.
func (m *drainModel) replica() *harness {
	h := newSyncedHarness(m.entries...)
	m.records[h] = map[uint16]string{}
	for _, port := range drainPorts {
		m.sendGrants(h, port)
	}
	return h
}

func (m *drainModel) sendGrants(h *harness, port uint16) {
	var sources []identity.ServiceAccount
	for _, name := range slices.Sorted(maps.Keys(m.granted[port])) {
		sources = append(sources, meshtest.SA("a", name))
	}
	target := meshtest.Target(fmt.Sprint("t", port), m.server.Identity(), []catalog.TargetRule{meshtest.TCP(fmt.Sprint("port-", port))}, sources...)
	if len(sources) == 0 {
		h.remove(target)
		return
	}
	h.apply(target)
}

// connect connects the sidecar to a replica, with what it has. A replica whose record of a port is another one drains it: which of the
// losses the sidecar missed is unknown. An empty record is none.
func (m *drainModel) connect(t *testing.T, h *harness) {
	var before *fakeProxy
	before, m.proxy = m.proxy, newFakeProxy(h, m.server)
	if before != nil {
		m.proxy.envoy = before.envoy
	}
	for port, record := range m.records[h] {
		m.lost[port] = m.lost[port] || record != m.record[port]
	}
	m.proxy.rejectIf = m.observe
	m.proxy.open(t)
}

// observe records the drain marks of a listener that the sidecar gets.
func (m *drainModel) observe(res *discovery.Resource) bool {
	listener := &listenerv3.Listener{}
	if res.GetName() == envoy.InboundListener && res.GetResource().UnmarshalTo(listener) == nil {
		m.marks = envoy.DrainMarks(envoy.Resource{Message: listener})
		m.log = append(m.log, fmt.Sprintf("the sidecar gets marks %v", m.marks))
	}
	return false
}

// check delivers everything, and compares the marks that changed with the permissions that were removed since the last check.
func (m *drainModel) check(t *rapid.T) {
	marks := m.marks
	m.proxy.sync(t)
	for _, port := range drainPorts {
		drained := false
		for _, chain := range slices.Concat(slices.Collect(maps.Keys(marks)), slices.Collect(maps.Keys(m.marks))) {
			drained = drained || strings.Contains(chain, fmt.Sprint(port)) && marks[chain] != m.marks[chain]
		}
		isLost := false
		for client := range m.held[port] {
			isLost = isLost || !m.granted[port][client]
		}
		if isLost && !drained || drained && !m.lost[port] {
			t.Fatalf("port %d: drained %v; allowed were %v, allowed are %v, lost in between %v\n%s",
				port, drained, m.held[port], m.granted[port], m.lost[port], strings.Join(m.log, "\n"))
		}
	}
	m.held, m.lost = map[uint16]map[string]bool{}, map[uint16]bool{}
	maps.Copy(m.record, m.records[m.proxy.harness])
	for port, clients := range m.granted {
		m.held[port] = maps.Clone(clients)
	}
}

// toggle grants or withdraws a permission.
func (m *drainModel) toggle(t *rapid.T) {
	port, client := rapid.SampledFrom(drainPorts).Draw(t, "port"), rapid.SampledFrom(drainClients).Draw(t, "client")
	if m.granted[port][client] {
		delete(m.granted[port], client)
		m.lost[port] = true
	} else {
		m.granted[port][client] = true
	}
	for _, h := range m.replicas {
		m.sendGrants(h, port)
		if !m.granted[port][client] {
			m.records[h][port] += fmt.Sprintf("%v ", m.granted[port])
		}
	}
	m.log = append(m.log, fmt.Sprintf("port %d: %s may connect: %v", port, client, m.granted[port][client]))
}

// TestDrainMarksModel removes permissions while replicas start and stop and the sidecar moves between them. It drains a port exactly if a
// client lost its permission there since the sidecar was last up to date.
func TestDrainMarksModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newDrainModel(t)
		m.check(rt)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"toggle", "toggle", "toggle", "check", "check", "move", "restart", "outage"}).Draw(rt, "step")
			m.log = append(m.log, step)
			switch step {
			case "toggle":
				m.toggle(rt)
			case "check":
				m.check(rt)
			case "move":
				m.proxy.close()
				m.connect(t, m.replicas[rapid.IntRange(0, 1).Draw(rt, "replica")])
			case "restart": // of the replica that the sidecar is not connected to, or of its own
				i := rapid.IntRange(0, 1).Draw(rt, "replica")
				own := m.proxy.harness == m.replicas[i]
				m.replicas[i] = m.replica()
				if own {
					m.connect(t, m.replicas[i])
				}
			case "outage": // permissions change while no replica runs
				m.proxy.close()
				m.replicas = nil
				for range rapid.IntRange(0, 3).Draw(rt, "changes") {
					m.toggle(rt)
				}
				m.replicas = []*harness{m.replica(), m.replica()}
				m.connect(t, m.replicas[0])
			}
		}
		m.check(rt)
	})
}
