package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// drainModel is a pod with two TCP ports, a sidecar of it, and replicas that start and stop. It records which clients may have open connections.
type drainModel struct {
	server   *inventory.Instance
	other    *inventory.Service
	entries  []catalog.Entry
	replicas []*harness
	proxy    *fakeProxy
	// granted has the clients that may connect, by port, and hasOther whether the other Service exists.
	granted  map[uint16]map[string]bool
	hasOther bool
	// allowed are the clients that the sidecar lets connect, by port. Those of open may have a connection that is not drained, and lossy ports have
	// lost a client since they were last drained.
	allowed, open map[uint16]map[string]bool
	lossy         map[uint16]bool
	// marks are the drain marks at the sidecar, by chain.
	marks map[string]string
	// chains are the filter chains of single clients at the sidecar, and revoked the names of those whose client has lost a permission.
	chains  map[string]*listenerv3.FilterChain
	revoked map[string]bool
	log     []string
	// epoch is that of the sidecar, and drains is true after another one has taken over.
	epoch  uint64
	drains bool
}

var (
	drainPorts   = []uint16{9000, 9001}
	drainClients = []string{"client", "guest", "third"}
)

func newDrainModel(t *testing.T) *drainModel {
	m := &drainModel{
		server:  meshtest.Pod("a", "server", "server", "server", "10.0.0.2"),
		other:   meshtest.Service("a", "other", "server", "10.96.0.9", 9009, inventory.ProtocolTCP),
		allowed: map[uint16]map[string]bool{}, open: map[uint16]map[string]bool{}, lossy: map[uint16]bool{}, revoked: map[string]bool{},
		granted: map[uint16]map[string]bool{9000: {"client": true, "guest": true}, 9001: {"client": true}},
	}
	m.entries = []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{}, m.server, accountOf(m.server)}
	for i, port := range drainPorts {
		m.open[port] = map[string]bool{}
		service := meshtest.Service("a", fmt.Sprint("server-", port), "server", fmt.Sprint("10.96.0.", i+1), port, inventory.ProtocolTCP)
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
	for _, port := range drainPorts {
		m.sendGrants(h, port)
	}
	m.sendOther(h)
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

// sendOther creates or removes a Service that selects the pod. The sidecar moves to another scope.
func (m *drainModel) sendOther(h *harness) {
	if m.hasOther {
		h.apply(m.other)
		return
	}
	h.remove(m.other)
}

// connect connects the sidecar to a replica, with what it has.
func (m *drainModel) connect(t *testing.T, h *harness) {
	var before *fakeProxy
	before, m.proxy = m.proxy, newFakeProxy(h, m.server)
	if before != nil {
		m.proxy.envoy = before.envoy
	}
	m.proxy.epoch, m.proxy.isProbed = m.epoch, m.epoch > 0
	m.proxy.rejectIf = func(res *discovery.Resource) bool {
		m.observe(t, res)
		return false
	}
	m.proxy.open(t)
}

// observe records what the sidecar gets. A port may be drained only if a client lost its permission there.
func (m *drainModel) observe(t *testing.T, res *discovery.Resource) {
	listener, extension := &listenerv3.Listener{}, &corev3.TypedExtensionConfig{}
	switch {
	case res.GetName() == envoy.InboundListener && m.drains: // it is not applied
	case res.GetName() == envoy.InboundListener && res.GetResource().UnmarshalTo(listener) == nil:
		marks := envoy.DrainMarks(listener)
		for _, port := range drainPorts {
			if m.markOf(marks, port) == m.markOf(m.marks, port) {
				continue
			}
			if !m.lossy[port] {
				t.Fatalf("port %d is drained, and no client lost its permission\n%s", port, strings.Join(m.log, "\n"))
			}
			m.open[port], m.lossy[port] = maps.Clone(m.allowed[port]), false
		}
		m.marks = marks
		m.observeChains(t, listener)
		m.log = append(m.log, fmt.Sprintf("the sidecar gets marks %v", marks))
	case res.GetResource().UnmarshalTo(extension) == nil:
		if principals, ok := envoy.NetworkPrincipals(envoy.Resource{Name: res.GetName(), Message: extension}); ok {
			m.observePermissions(res.GetName(), principals)
		}
	}
}

// observeChains records the filter chains of single clients. One may change only if its own client lost a permission.
func (m *drainModel) observeChains(t *testing.T, listener *listenerv3.Listener) {
	chains := map[string]*listenerv3.FilterChain{}
	for _, chain := range listener.GetFilterChains() {
		if strings.HasPrefix(chain.GetName(), "inbound_of_") {
			chains[chain.GetName()] = chain
		}
	}
	for name, held := range m.chains {
		if !proto.Equal(held, chains[name]) && !m.revoked[name] {
			t.Fatalf("the connections of %s end, and its client lost no permission\n%s", name, strings.Join(m.log, "\n"))
		}
	}
	m.chains = chains
}

func clientChainOf(port uint16, client string) string {
	return fmt.Sprintf("inbound_of_a/%s_a/server-%d_%d_tcp", client, port, port)
}

func (m *drainModel) observePermissions(name string, principals []string) {
	for _, port := range drainPorts {
		if !strings.Contains(name, fmt.Sprint(port)) {
			continue
		}
		allowed := map[string]bool{}
		for _, principal := range principals {
			client, _, _ := strings.Cut(principal, ".")
			allowed[client], m.open[port][client] = true, true
		}
		for client := range m.allowed[port] {
			m.lossy[port] = m.lossy[port] || !allowed[client]
		}
		m.allowed[port] = allowed
		m.log = append(m.log, fmt.Sprintf("port %d: the sidecar allows %v", port, allowed))
	}
}

// markOf returns the drain mark of a port.
func (m *drainModel) markOf(marks map[string]string, port uint16) string {
	for chain, mark := range marks {
		if strings.Contains(chain, fmt.Sprint(port)) {
			return mark
		}
	}
	return ""
}

// check delivers everything. No client without a permission has a connection then.
func (m *drainModel) check(t *rapid.T) {
	m.proxy.sync(t)
	clear(m.revoked)
	for _, port := range drainPorts {
		for client := range m.open[port] {
			if !m.granted[port][client] {
				t.Fatalf("port %d: %s may still have a connection; allowed are %v\n%s", port, client, m.granted[port], strings.Join(m.log, "\n"))
			}
		}
		for _, client := range drainClients {
			if has := m.chains[clientChainOf(port, client)] != nil; has != m.granted[port][client] && !m.drains {
				t.Fatalf("port %d: that %s has a chain is %v\n%s", port, client, has, strings.Join(m.log, "\n"))
			}
		}
	}
}

// toggle grants or withdraws a permission.
func (m *drainModel) toggle(t *rapid.T) {
	port, client := rapid.SampledFrom(drainPorts).Draw(t, "port"), rapid.SampledFrom(drainClients).Draw(t, "client")
	if m.granted[port][client] {
		delete(m.granted[port], client)
		m.revoked[clientChainOf(port, client)] = true
	} else {
		m.granted[port][client] = true
	}
	for _, h := range m.replicas {
		m.sendGrants(h, port)
	}
	m.log = append(m.log, fmt.Sprintf("port %d: %s may connect: %v", port, client, m.granted[port][client]))
}

// toggleOther moves the sidecar to another scope, often together with a changed permission: one apply can have both.
func (m *drainModel) toggleOther(t *rapid.T) {
	m.hasOther = !m.hasOther
	if rapid.Bool().Draw(t, "with a permission") {
		m.toggle(t)
	}
	for _, h := range m.replicas {
		m.sendOther(h)
	}
}

// cut delivers some messages, and then the connection breaks.
func (m *drainModel) cut(t *rapid.T) {
	for range rapid.IntRange(0, 12).Draw(t, "messages") {
		m.proxy.harness.run()
		m.proxy.flush(t)
		if !m.proxy.deliverRequest(t) {
			m.proxy.deliverResponse(t, false)
		}
	}
	m.proxy.close()
}

// TestDrainMarksModel removes permissions while replicas start and stop, the sidecar moves between them and between scopes, and connections break
// between two responses. No connection outlives its permission, and no port is drained without a loss.
func TestDrainMarksModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newDrainModel(t)
		m.check(rt)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"toggle", "toggle", "toggle", "check", "check", "scope", "cut", "move", "restart", "outage"}).Draw(rt, "step")
			m.log = append(m.log, step)
			switch step {
			case "toggle":
				m.toggle(rt)
			case "check":
				m.check(rt)
			case "scope":
				m.toggleOther(rt)
			case "cut":
				m.cut(rt)
				m.connect(t, m.replicas[rapid.IntRange(0, 1).Draw(rt, "replica")])
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
