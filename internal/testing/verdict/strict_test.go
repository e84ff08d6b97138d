package verdict

import (
	"bufio"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestStrictNamespaceCutsConnections checks that connections allowed only by a permissive namespace end when it becomes strict,
// and that clients with a policy can reconnect.
func TestStrictNamespaceCutsConnections(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	yes := true
	db := Service("a", "s1", "x", virtualAddress(1).String(), 82, inventory.ProtocolTCPServerFirst)
	db.Ports[0].TargetPort = greetsPort
	w := podsOnly()
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
	// A granted connection is drained with the others of the port, so its client reconnects, which must work.
	n.Reset(t, w.with([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindNamespace, Name: Name("a", "")}}}))
	for name, conn := range map[string]net.Conn{"stranger": stranger, "granted": granted} {
		if err := conn.SetReadDeadline(time.Now().Add(responseTimeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); describeEnd(err) != closed {
			t.Errorf("the connection of the %s client is not closed: %v", name, err)
		}
	}
	if seen := n.send(Request{Pod: 3, To: netip.AddrPortFrom(virtualAddress(1), 82)}); seen != closed {
		t.Errorf("the stranger, connecting again, sees %q, want %q", seen, closed)
	}
	open(1)
}
