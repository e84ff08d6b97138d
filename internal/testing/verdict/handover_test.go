package verdict

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Ports of the server in TestHandover.
const (
	keptPort    = 7002
	revokedPort = 7003
)

// session is a connection of which each byte comes back.
type session struct{ net.Conn }

func (s session) isOpen() bool {
	if s.SetDeadline(time.Now().Add(3*time.Second)) != nil {
		return false
	}
	if _, err := s.Write([]byte("x")); err != nil {
		return false
	}
	_, err := io.ReadFull(s, make([]byte, 1))
	return err == nil
}

// openSession connects from a pod to a virtual address.
func (n *Network) openSession(t *testing.T, from int, to netip.AddrPort) session {
	t.Helper()
	var conn net.Conn
	eventually.True(t, 20*time.Second, "a session begins", func() bool {
		var err error
		if conn, err = n.pods[from].Dial(t, to.String()); err != nil {
			return false
		}
		return session{conn}.isOpen()
	})
	t.Cleanup(func() { _ = conn.Close() })
	return session{conn}
}

// TestHandover revokes permissions while the Envoy of a server and that of a client drain after a hot restart.
func TestHandover(t *testing.T) {
	n := NewNetwork(t)
	server := n.pods[0]
	for _, port := range []uint16{keptPort, revokedPort} {
		server.ServeTCP(t, port, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	}
	kept, revoked := netip.AddrPortFrom(virtualAddress(1), keptPort), netip.AddrPortFrom(virtualAddress(2), revokedPort)
	target := func(name string, port uint16, clients ...string) *catalog.TrafficTarget {
		var sources []identity.ServiceAccount
		for _, client := range clients {
			sources = append(sources, SA("b", client))
		}
		return Target(name, SA("a", "one"), []catalog.TargetRule{TCP(portRoute(port))}, sources...)
	}
	mesh := Mesh(
		&catalog.Settings{},
		Service("a", "kept", "0", kept.Addr().String(), keptPort, inventory.ProtocolTCP), &catalog.TCPRoute{Name: Name("a", portRoute(keptPort)), Ports: []uint16{keptPort}},
		Service("a", "revoked", "0", revoked.Addr().String(), revokedPort, inventory.ProtocolTCP), &catalog.TCPRoute{Name: Name("a", portRoute(revokedPort)), Ports: []uint16{revokedPort}},
		target("kept", keptPort, "three"), target("revoked", revokedPort, "three"),
	)
	n.Reset(t, mesh)
	sessions := []session{n.openSession(t, 3, kept), n.openSession(t, 3, revoked)}
	n.handOver(t, 0)
	expect := func(open bool, why string) {
		t.Helper()
		for i, s := range sessions {
			if s.isOpen() != open {
				t.Errorf("session %d is open: %t, %s", i, !open, why)
			}
		}
	}
	expect(true, "after the handover")

	// What is only added cuts nothing.
	n.control.apply([]catalog.Change{catalog.Set(target("kept", keptPort, "three", "other")), catalog.Set(target("more", keptPort, "another"))})
	time.Sleep(handoverTime + DrainTime + time.Second)
	expect(true, "after other clients were allowed")

	// The inbound listener goes with the permission of one of its ports. The sidecar of the client does not know of that, so it cuts nothing itself.
	n.control.gate.cutFrom(n.pods[3].IP)
	revocation := target("revoked", revokedPort, "three")
	n.control.apply([]catalog.Change{{Ref: revocation.Ref()}})
	start := time.Now()
	eventually.True(t, 2*DrainTime+3*time.Second, "the revoked session ends", func() bool { return !sessions[1].isOpen() })
	t.Logf("a session at the Envoy that drains ends %s after its permission, with a drain time of %s", time.Since(start).Round(100*time.Millisecond), DrainTime)
	again := n.openSession(t, 3, kept)
	if !again.isOpen() {
		t.Error("the serving Envoy does not accept a client with a permission")
	}
}

// portRoute returns the name of the TCPRoute of a port.
func portRoute(port uint16) string {
	if port == keptPort {
		return "kept"
	}
	return "revoked"
}

// handoverTime exceeds the time until a control plane takes for granted that an Envoy drains.
const handoverTime = 6 * time.Second

// handOver starts a second Envoy in a pod, and waits until the first one certainly drains.
func (n *Network) handOver(t *testing.T, pod int) {
	t.Helper()
	config := n.bootstrap(t, n.pods[pod].Dir(), pod, n.outside.IP)
	metadata := config.GetNode().GetMetadata()
	if metadata == nil {
		metadata = &structpb.Struct{}
		config.GetNode().Metadata = metadata
	}
	if metadata.Fields == nil {
		metadata.Fields = map[string]*structpb.Value{}
	}
	metadata.Fields[names.EpochMetadata] = structpb.NewNumberValue(2)
	n.pods[pod].HandOver(t, config)
	eventually.True(t, 20*time.Second, "the later Envoy has its configuration", func() bool {
		for _, p := range n.control.store.Proxies() {
			if p.Pod == pods[pod].name && p.Software.Epoch == 2 && p.IsComplete {
				return true
			}
		}
		return false
	})
	time.Sleep(handoverTime)
}
