package verdict

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const (
	// manyClients is how many clients have each a WebSocket and a session over TCP.
	manyClients = 20
	// socketPort, databasePort and otherDatabasePort are ports of the server in TestRevocationAmongManyClients.
	socketPort, databasePort, otherDatabasePort = 7010, 7011, 7012
	// unnamedClient is a client whose sidecar does not name its account, like those of earlier control planes.
	unnamedClient = manyClients - 1
	// revocationLimit bounds the end of a revoked session.
	revocationLimit = 2*DrainTime + 3*time.Second
)

// TestRevocationAmongManyClients withdraws the permission of one of twenty clients for a WebSocket, and then for a session over TCP. Its own connection ends within
// the drain time, and those of others live. Only clients that do not name their account lose their sessions on the same port, and open new ones at once.
func TestRevocationAmongManyClients(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	server := n.pods[0]
	server.ServeHTTP(t, socketPort, http.HandlerFunc(echoOverWebSocket))
	ports := []serverPort{
		{socketPort, "socket", inventory.ProtocolHTTP, HTTP("routes")},
		{databasePort, "database", inventory.ProtocolTCP, TCP("database")},
		{otherDatabasePort, "other", inventory.ProtocolTCP, TCP("other")},
	}
	entries := []catalog.Entry{&catalog.Settings{}, Group("a", "routes", "/socket")}
	for _, p := range ports {
		entries = append(entries, Service("a", p.name, "0", p.address().String(), p.number, p.protocol), p.target("all", clientsFrom(0)))
		if p.protocol == inventory.ProtocolTCP {
			server.ServeTCP(t, p.number, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
			entries = append(entries, &catalog.TCPRoute{Name: Name("a", p.name), Ports: []uint16{p.number}})
		}
	}
	n.Reset(t, Mesh(entries...))
	sockets, databases := n.openAll(t, ports[0]), n.openAll(t, ports[1])
	other := n.openFromOutside(t, ports[2], 1)

	withdraw := func(p serverPort, sessions []session, client int) {
		t.Helper()
		n.control.apply([]catalog.Change{catalog.Set(p.target("all", slices.Delete(clientsFrom(0), client, client+1)))})
		start := time.Now()
		eventually.True(t, revocationLimit, "the revoked client loses its "+p.name, func() bool { return !sessions[client].isOpen() })
		t.Logf("the %s of the revoked client ends after %s, with a drain time of %s", p.name, time.Since(start).Round(100*time.Millisecond), DrainTime)
	}
	withdraw(ports[0], sockets, 0)
	time.Sleep(DrainTime)
	for i, s := range sockets[1:] {
		if !s.isOpen() {
			t.Errorf("the WebSocket of client %d has ended", i+1)
		}
	}
	const revoked = 1 // client 0 has a sidecar, whose session must live
	withdraw(ports[1], databases, revoked)
	time.Sleep(DrainTime)
	for i, s := range databases {
		if open := s.isOpen(); open == (i == revoked || i == unnamedClient) {
			t.Errorf("the session of client %d is open: %v", i, open)
		}
	}
	if again := n.openFromOutside(t, ports[1], unnamedClient); !again.isOpen() {
		t.Error("a client that does not name its account has no new session")
	}
	if !other.isOpen() {
		t.Error("a session on another port has ended")
	}
}

// TestClientsThatNameAnotherAccount lets allowed and denied clients name an account that is not their own.
func TestClientsThatNameAnotherAccount(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	p := serverPort{databasePort, "database", inventory.ProtocolTCP, TCP("database")}
	n.pods[0].ServeTCP(t, p.number, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	n.Reset(t, Mesh(&catalog.Settings{}, Service("a", p.name, "0", p.address().String(), p.number, p.protocol),
		&catalog.TCPRoute{Name: Name("a", p.name), Ports: []uint16{p.number}}, p.target("some", []identity.ServiceAccount{manyClient(1), manyClient(2)})))
	n.openFromOutside(t, p, 1)
	for _, test := range []struct {
		client, named int
		open          bool
	}{{1, 1, true}, {1, 2, false}, {3, 1, false}, {3, 3, false}, {1, 3, true}} {
		// An account without a chain, as in the last case, leads to the common chain.
		s, err := n.sessionFromOutside(t, p, test.client, protocolsOf(test.named))
		if open := err == nil && s.isOpen(); open != test.open {
			t.Errorf("client %d that names client %d has a session: %v", test.client, test.named, open)
		}
	}
}

// TestClientsShareTheLimitOfAPort bounds the connections to a port whose clients have filter chains of their own.
func TestClientsShareTheLimitOfAPort(t *testing.T) {
	t.Parallel()
	const limit = 4
	n := NewNetwork(t)
	p := serverPort{databasePort, "database", inventory.ProtocolTCP, TCP("database")}
	n.pods[0].ServeTCP(t, p.number, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	service := Service("a", p.name, "0", p.address().String(), p.number, p.protocol)
	n.Reset(t, Mesh(&catalog.Settings{}, service, &catalog.TCPRoute{Name: Name("a", p.name), Ports: []uint16{p.number}}, p.target("all", clientsFrom(0)),
		&upstream.Policy{
			Kind: upstream.Kind, Name: service.Name, Service: service.Name,
			ConnectionRate: &upstream.RateLimit{Tokens: limit, Interval: time.Hour},
		}))
	n.openFromOutside(t, p, 1)
	opened := 1
	for i := 2; i < manyClients; i++ {
		if s, err := n.sessionFromOutside(t, p, i, protocolsOf(i)); err == nil && s.isOpen() {
			opened++
		}
	}
	if opened > limit {
		t.Errorf("%d clients have a session, and the port has a limit of %d", opened, limit)
	}
}

// serverPort is a port of the server.
type serverPort struct {
	number   uint16
	name     string
	protocol inventory.Protocol
	rule     catalog.TargetRule
}

// address is the virtual address of the Service with the port.
func (p serverPort) address() netip.Addr { return virtualAddress(byte(p.number-socketPort) + 1) }

func (p serverPort) target(name string, clients []identity.ServiceAccount) *catalog.TrafficTarget {
	return Target(name+"-"+p.name, SA("a", "one"), []catalog.TargetRule{p.rule}, clients...)
}

// clientsFrom returns the accounts of all clients from an index. The first is that of a pod with a sidecar, and others connect from outside with certificates.
func clientsFrom(first int) []identity.ServiceAccount {
	var all []identity.ServiceAccount
	for i := first; i < manyClients; i++ {
		all = append(all, manyClient(i))
	}
	return all
}

func manyClient(i int) identity.ServiceAccount {
	if i == 0 {
		return SA("b", "three")
	}
	return SA("b", fmt.Sprintf("client-%02d", i))
}

// protocolsOf are the protocols that the sidecar of a client offers.
func protocolsOf(client int) []string {
	if client == unnamedClient {
		return []string{"osm"}
	}
	account := manyClient(client)
	return []string{"osm/" + account.Namespace + "/" + account.Name, "osm"}
}

// openAll opens a session of each client.
func (n *Network) openAll(t *testing.T, p serverPort) []session {
	t.Helper()
	var first session
	eventually.True(t, 20*time.Second, "a session begins at "+p.name, func() bool {
		conn, err := n.pods[3].Dial(t, netip.AddrPortFrom(p.address(), p.number).String())
		if err == nil {
			first, err = p.begin(conn)
		}
		return err == nil
	})
	all := []session{first}
	for i := 1; i < manyClients; i++ {
		all = append(all, n.openFromOutside(t, p, i))
	}
	return all
}

// openFromOutside opens a session with the certificate of a client whose sidecar does not exist, so that nothing but the sidecar of the server can end it.
func (n *Network) openFromOutside(t *testing.T, p serverPort, client int) session {
	t.Helper()
	var s session
	eventually.True(t, 5*time.Second, fmt.Sprintf("client %d has a session at %s", client, p.name), func() bool {
		var err error
		s, err = n.sessionFromOutside(t, p, client, protocolsOf(client))
		return err == nil
	})
	return s
}

// sessionFromOutside is openFromOutside for a client that offers protocols in the handshake.
func (n *Network) sessionFromOutside(t *testing.T, p serverPort, client int, protocols []string) (session, error) {
	t.Helper()
	issued, err := n.control.manager.Certificate(manyClient(client))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.ChainPEM, issued.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := n.outside.Dial(t, netip.AddrPortFrom(n.pods[0].IP, p.number).String())
	if err != nil {
		return session{}, err
	}
	return p.begin(tls.Client(plain, &tls.Config{
		ServerName: names.ServiceHost(p.name, "a"), NextProtos: protocols, Certificates: []tls.Certificate{pair},
		InsecureSkipVerify: true, // the server's verification is under test
	}))
}

// begin upgrades a connection to a WebSocket if the port has HTTP, and sends the first byte.
func (p serverPort) begin(conn net.Conn) (session, error) {
	s := session{conn}
	if err := conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return s, err
	}
	if p.protocol == inventory.ProtocolHTTP {
		request := "GET /socket HTTP/1.1\r\nHost: socket\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		if _, err := io.WriteString(conn, request); err != nil {
			return s, err
		}
		response, err := http.ReadResponse(bufio.NewReaderSize(onlyHeaders{conn}, 1), nil)
		if err != nil {
			return s, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusSwitchingProtocols {
			return s, fmt.Errorf("status %d", response.StatusCode)
		}
	}
	if !s.isOpen() {
		return s, io.ErrUnexpectedEOF
	}
	return s, nil
}

// onlyHeaders reads single bytes, so that a response takes none that follow it.
type onlyHeaders struct{ io.Reader }

func (r onlyHeaders) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }

// echoOverWebSocket sends back what follows an upgrade. The frames of WebSockets do not matter to sidecars.
func echoOverWebSocket(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); err == nil {
		_, _ = io.Copy(conn, buffered)
	}
}
