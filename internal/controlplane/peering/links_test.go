package peering

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// link forwards connections, like the gateways of two meshes.
type link struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	// dead discards everything that arrives.
	dead  bool
	conns []net.Conn
}

func newLink(t *testing.T, target string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, target: target}
	go l.serve()
	t.Cleanup(func() {
		_ = listener.Close()
		l.lead("")
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		target := l.target
		l.mu.Unlock()
		far, err := net.Dial("tcp", target)
		if err != nil {
			_ = conn.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, conn, far)
		l.mu.Unlock()
		go l.forward(conn, far)
		go l.forward(far, conn)
	}
}

func (l *link) forward(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		dead := l.dead
		l.mu.Unlock()
		if dead {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// lead closes all connections, and leads new ones to another server.
func (l *link) lead(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

func (l *link) die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// TestADeadLinkIsNoticed lets a link discard everything without an end of its connections.
func TestADeadLinkIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 13 seconds")
	}
	t.Parallel()
	east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
	l := newLink(t, east.address())
	east.export("cart", "west")
	east.start(t, west.address(), west.peer("west"))
	west.start(t, l.address(), east.peer("east"))
	waitFor(t, west, "cart")
	l.die()
	begin := time.Now()
	eventually.True(t, 2*waitLimit, "west notices", func() bool { return !west.state().Connected })
	if d := time.Since(begin); d > pingInterval+pingTimeout+5*time.Second {
		t.Errorf("noticed after %s", d)
	}
	eventually.True(t, waitLimit, "east notices", func() bool { return east.peering.Exported("west").Streams == 0 })
	if west.service("east", "cart") == nil {
		t.Error("silence removed an import")
	}
}

// replica returns another replica of a mesh, with a mirror of its own.
func (m *testMesh) replica(t *testing.T) *testMesh {
	t.Helper()
	other := newMesh(t, m.domain)
	other.root, other.manager, other.certificates, other.epoch, other.mirror = m.root, m.manager, m.certificates, m.epoch, mirror.New()
	return other
}

// TestReplicasOfAnExporter moves the stream between replicas that learn of changes at different times.
func TestReplicasOfAnExporter(t *testing.T) {
	east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
	other := east.replica(t)
	l := newLink(t, east.address())
	other.export("cart", "west")
	other.export("stock", "west")
	other.start(t, west.address(), west.peer("west"))
	east.export("cart", "west")
	east.export("stock", "west")
	east.start(t, west.address(), west.peer("west"))
	west.start(t, l.address(), east.peer("east"))
	waitFor(t, west, "stock")
	_, before := west.counts()
	ready := func() bool { return west.service("east", "cart").Ports[0].Ready }
	// Only the replica with the stream learns that the Service is not ready, later than the other one has signed that it is.
	notReady := meshtest.Slice(meshtest.Name("shop", "cart"))
	east.set(notReady)
	eventually.True(t, waitLimit, "the change arrives", func() bool { return !ready() })
	l.lead(other.address())
	eventually.True(t, waitLimit, "the other replica is believed", ready)
	other.set(notReady)
	eventually.True(t, waitLimit, "the change arrives again", func() bool { return !ready() })
	if _, changes := west.counts(); changes != before+3 {
		t.Errorf("%d changes, want 3: what is equal is not sent by the other replica", changes-before)
	}
	if state := west.state(); len(state.Problems) > 0 {
		t.Errorf("state %+v", state)
	}
}

// TestPeersWithNamesOfThisMeshAreIgnored declares a peer whose accounts could have names of this mesh.
func TestPeersWithNamesOfThisMeshAreIgnored(t *testing.T) {
	west := newMesh(t, westDomain)
	west.start(t, west.address(), Peer{Name: "same", TrustDomain: westDomain}, Peer{Name: "below", TrustDomain: "a." + westDomain}, Peer{Name: "other", TrustDomain: eastDomain})
	if states := west.peering.States(); len(states) != 1 || states[0].Peer != "other" {
		t.Errorf("peers %+v", states)
	}
}

// TestOnlyAffectedOffersAreRead changes a mesh with two exports.
func TestOnlyAffectedOffersAreRead(t *testing.T) {
	east, west := newPair(t)
	east.export("stock", "west")
	waitFor(t, west, "stock")
	_, before := west.counts()
	east.set(&catalog.ServiceAccount{Name: meshtest.Name("shop", "unrelated"), UID: "1"}, meshtest.Pod("shop", "unrelated", "unrelated", "unrelated", "10.0.0.9"))
	east.set(meshtest.Slice(meshtest.Name("shop", "stock")))
	eventually.True(t, waitLimit, "the change arrives", func() bool { return !west.service("east", "stock").Ports[0].Ready })
	if _, changes := west.counts(); changes != before+1 {
		t.Errorf("%d changes, want one", changes-before)
	}
}

// TestCorrectedGatewaysAreTriedAtOnce corrects the gateways of a peer while the next attempt to connect is hours away.
func TestCorrectedGatewaysAreTriedAtOnce(t *testing.T) {
	east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
	l := newLink(t, "")
	east.export("cart", "west")
	east.start(t, west.address(), west.peer("west"))
	west.timing = defaultTiming()
	west.timing.firstBackoff, west.timing.maxBackoff = time.Hour, time.Hour
	wrong := east.peer("east")
	wrong.Gateways = []catalog.Server{{Host: "192.0.2.1", Port: 15443}}
	west.start(t, l.address(), wrong)
	eventually.True(t, waitLimit, "the first attempt fails", func() bool { _, failed := west.state().Problem(ReasonUnreachable); return failed })
	l.lead(east.address())
	right := east.peer("east")
	right.Gateways = []catalog.Server{{Host: "192.0.2.2", Port: 15443}}
	west.peering.SetPeers(t.Context(), []Peer{right})
	waitFor(t, west, "cart")
}
