package verdict

import (
	"bufio"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestStrictNamespaceCutsConnections: connections that stand only because a namespace was permissive end when it no longer is, and
// those who have a policy may connect again.
func TestStrictNamespaceCutsConnections(t *testing.T) {
	n := NewNetwork(t)
	yes := true
	db := Service("a", "s1", "x", virtualAddress(1).String(), 82, catalog.ProtocolTCPServerFirst)
	db.Ports[0].TargetPort = greetsPort
	w := justPods()
	for _, e := range []catalog.Entry{
		db, &catalog.Namespace{Name: "a", Monitored: true, Permissive: &yes}, &catalog.Settings{},
		&catalog.TCPRoute{Name: Name("a", "greets"), Ports: []uint16{greetsPort}},
		Target("one", accounts[0], []catalog.TargetRule{TCP("greets")}, accounts[1]), Target("two", accounts[1], []catalog.TargetRule{TCP("greets")}, accounts[1]),
	} {
		w[e.Ref()] = e
	}
	n.Reset(t, w)
	open := func(pod int) net.Conn {
		conn, err := n.dial(Request{Pod: pod, To: netip.AddrPortFrom(virtualAddress(1), 82)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatalf("%s hears no greeting while the namespace is permissive: %v", pods[pod].name, err)
		}
		return conn
	}
	granted, stranger := open(1), open(3)
	// A connection that the policy grants is drained with the others of the port, so its client connects again: that must work.
	n.Reset(t, w.with([]catalog.Change{{Ref: catalog.Ref{Kind: catalog.KindNamespace, Name: Name("a", "")}}}))
	for name, conn := range map[string]net.Conn{"stranger": stranger, "granted": granted} {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); ended(err) != closed {
			t.Errorf("the connection of the %s client is not closed: %v", name, err)
		}
	}
	if seen := n.ask(Request{Pod: 3, To: netip.AddrPortFrom(virtualAddress(1), 82)}); seen != refused {
		t.Errorf("the stranger, connecting again, sees %q, want %q", seen, refused)
	}
	open(1)
}
