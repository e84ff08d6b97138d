package pods_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestOpenConnections changes policies while connections are open.
func TestOpenConnections(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	conn := s.greeted(t, databaseIP)

	server := s.serverScope()
	server.Inbound[3].Rules.Network = append(server.Inbound[3].Rules.Network,
		authz.NetworkRule{Policy: "shop/thief", Sources: []identity.ServiceAccount{thief}})
	s.server.Configure(t, server)
	other := s.clientScope()
	other.Outbound = other.Outbound[1:]
	s.configure(t, other, server)
	s.outlastsDrain(t, conn)
	if _, err := io.WriteString(conn, "still here\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "echo still here\n" {
		t.Errorf("after a grant to another client and the removal of another Service: %q, %v, want the connection to stay open", line, err)
	}

	conn, untouched := s.greeted(t, databaseIP), s.greeted(t, archiveIP)
	server.Inbound[3].Rules.Network = nil
	s.drain(t, server)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
		t.Errorf("after the permission was removed and the port was marked: read %d, %v, want the connection to be cut", n, err)
	}
	if _, err := io.WriteString(untouched, "still here\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(untouched).ReadString('\n'); line != "echo still here\n" {
		t.Errorf("a connection to another Service of the same pod: %q, %v, want it to stay open", line, err)
	}
	if got, err := s.client.Exchange(t, "10.96.0.2:3306", "hello\n"); got != "" || isTimeout(err) {
		t.Errorf("a new connection after the permission was removed = %q, %v, want a closed connection", got, err)
	}
}

// drain configures the server, with a drain mark in the filter chain of the database.
func (s *shop) drain(t *testing.T, server *scope.Scope) {
	t.Helper()
	built := envoy.Build(server)
	for i, r := range built {
		if r.Name == envoy.InboundListener {
			built[i].Message = envoy.WithDrainMarks(r.Message.(*listenerv3.Listener), func(chain string) string {
				if strings.Contains(chain, fmt.Sprintf("%s_%d_", server.Inbound[3].Service, server.Inbound[3].TargetPort)) {
					return "1"
				}
				return ""
			})
		}
	}
	s.server.SendAll(t, server, built)
}

// outlastsDrain checks that a connection is open after the drain time. Envoy closes connections of drained listeners only then.
func (s *shop) outlastsDrain(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(s.network.Drain + s.network.Drain/2)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Errorf("read %d, %v during the drain time, want the connection to stay open", n, err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// TestDrainedConnectionsAreNoticed checks that outlastsDrain would notice a drained connection.
func TestDrainedConnectionsAreNoticed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	conn := s.greeted(t, databaseIP)
	server := s.serverScope()
	s.drain(t, server)
	if err := conn.SetReadDeadline(time.Now().Add(s.network.Drain + s.network.Drain/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); isTimeout(err) {
		t.Errorf("a drained connection is open after %s", s.network.Drain+s.network.Drain/2)
	}
}

// greeted returns a connection to a Service of the database that has received its greeting.
func (s *shop) greeted(t *testing.T, service netip.Addr) net.Conn {
	t.Helper()
	conn, err := s.client.Dial(t, netip.AddrPortFrom(service, 3306).String())
	if err != nil {
		t.Fatal(err)
	}
	welcome := make([]byte, len("welcome\n"))
	if _, err := io.ReadFull(conn, welcome); err != nil {
		t.Fatalf("no greeting: %v", err)
	}
	return conn
}
