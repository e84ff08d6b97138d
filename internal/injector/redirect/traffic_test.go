package redirect

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// Addresses of the pod under test and of its peer, which are directly connected.
const (
	pod4, pod6   = "10.9.0.1", "fd00:9::1"
	peer4, peer6 = "10.9.0.2", "fd00:9::2"
	root, proxy  = 0, names.ProxyUID
)

// network is a pod and an outside peer. Each listener sends its own name, so a test sees which one accepted the connection.
type network struct{ pod, peer *nstest.Namespace }

func newNetwork(t *testing.T, config Config) network {
	t.Helper()
	n := network{pod: nstest.New(t), peer: nstest.New(t)}
	nstest.Connect(t, "eth0", n.pod, []string{pod4 + "/24", pod6 + "/64"}, n.peer, []string{peer4 + "/24", peer6 + "/64"})
	apply(t, n.pod, config)
	for port, name := range map[uint16]string{names.OutboundPort: "outbound", names.InboundPort: "inbound"} {
		serve(n.pod.Listen(t, fmt.Sprintf(":%d", port)), func(conn *net.TCPConn) string { return name + " " + describeDestination(conn) })
	}
	for _, port := range []uint16{8080, 9090, 15901, 15905, 15906} {
		serve(n.pod.Listen(t, fmt.Sprintf(":%d", port)), func(*net.TCPConn) string { return "application" })
	}
	for _, port := range []uint16{53, 80, 6379, 15000} {
		serve(n.peer.Listen(t, fmt.Sprintf(":%d", port)), func(*net.TCPConn) string { return "peer" })
	}
	return n
}

func serve(listener net.Listener, answer func(*net.TCPConn) string) {
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer(conn.(*net.TCPConn)))
			_ = conn.Close()
		}
	}()
}

// describeDestination returns the original destination of a redirected connection.
func describeDestination(conn *net.TCPConn) string {
	destination, err := originalDestination(conn)
	if err != nil {
		return err.Error()
	}
	return destination.String()
}

// dialAndRead connects and returns the text that the peer sends, or the error.
func dialAndRead(from *nstest.Namespace, uid int, address string) string {
	conn, err := from.DialAs(uid, address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	said, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(said)
}

// dialCase is one connection and the listener that must accept it.
type dialCase struct {
	what, address, want string
	uid                 int
	inbound             bool
}

func checkDials(t *testing.T, n network, cases []dialCase) {
	t.Helper()
	for _, a := range cases {
		from := n.pod
		if a.inbound {
			from = n.peer
		}
		if got := dialAndRead(from, a.uid, a.address); !strings.Contains(got, a.want) {
			t.Errorf("%s: connecting to %s as user %d reached %q, want %q", a.what, a.address, a.uid, got, a.want)
		}
	}
}

func TestThreat26BothFamiliesAreCaptured(t *testing.T) {
	checkDials(t, newNetwork(t, Config{}), []dialCase{
		{what: "outbound", uid: root, address: "10.9.0.2:80", want: "outbound 10.9.0.2:80"},
		{what: "outbound IPv6", uid: root, address: "[fd00:9::2]:80", want: "outbound [fd00:9::2]:80"},
		{what: "the sidecar itself", uid: proxy, address: "10.9.0.2:80", want: "peer"},
		{what: "the sidecar itself, IPv6", uid: proxy, address: "[fd00:9::2]:80", want: "peer"},
		{what: "another application user", uid: 1000, address: "10.9.0.2:80", want: "outbound 10.9.0.2:80"},
		{what: "inbound", inbound: true, address: "10.9.0.1:8080", want: "inbound 10.9.0.1:8080"},
		{what: "inbound IPv6", inbound: true, address: "[fd00:9::1]:8080", want: "inbound [fd00:9::1]:8080"},
		{what: "liveness probe", inbound: true, address: "10.9.0.1:15901", want: "application"},
		{what: "liveness probe, IPv6", inbound: true, address: "[fd00:9::1]:15901", want: "application"},
		{what: "the sidecar's own probe", inbound: true, address: "10.9.0.1:15905", want: "application"},
		{what: "a port without a probe", inbound: true, address: "10.9.0.1:15906", want: "inbound 10.9.0.1:15906"},
	})
}

// TestNoPortBypassesTheSidecar checks ports that have a meaning in the sidecar, but need no exception.
func TestNoPortBypassesTheSidecar(t *testing.T) {
	checkDials(t, newNetwork(t, Config{}), []dialCase{
		{what: "the admin port of another pod", uid: root, address: "10.9.0.2:15000", want: "outbound 10.9.0.2:15000"},
		{what: "the admin port from outside", inbound: true, address: "10.9.0.1:15000", want: "inbound 10.9.0.1:15000"},
		{what: "the port of OSM's helper for tcpSocket probes", inbound: true, address: "10.9.0.1:15904", want: "inbound 10.9.0.1:15904"},
	})
}

// TestTruncatedAnswersResolve connects to the name servers of the pod, as clients do after a truncated answer over UDP.
func TestTruncatedAnswersResolve(t *testing.T) {
	resolvers := []netip.Addr{netip.MustParseAddr(peer4), netip.MustParseAddr(peer6)}
	t.Run("default", func(t *testing.T) {
		checkDials(t, newNetwork(t, Config{Resolvers: resolvers}), []dialCase{
			{what: "a query", uid: 1000, address: "10.9.0.2:53", want: "peer"},
			{what: "a query, IPv6", uid: 1000, address: "[fd00:9::2]:53", want: "peer"},
			{what: "another port of the name server", uid: 1000, address: "10.9.0.2:80", want: "outbound 10.9.0.2:80"},
		})
	})
	t.Run("another name server", func(t *testing.T) {
		checkDials(t, newNetwork(t, Config{Resolvers: []netip.Addr{netip.MustParseAddr("10.96.0.10")}}), []dialCase{
			{what: "a query", uid: 1000, address: "10.9.0.2:53", want: "outbound 10.9.0.2:53"},
		})
	})
	t.Run("switched off", func(t *testing.T) {
		checkDials(t, newNetwork(t, Config{Resolvers: resolvers, RedirectDNS: true}), []dialCase{
			{what: "a query", uid: 1000, address: "10.9.0.2:53", want: "outbound 10.9.0.2:53"},
		})
	})
}

func TestThreat28InsideThePod(t *testing.T) {
	checkDials(t, newNetwork(t, Config{}), []dialCase{
		{what: "application to itself", uid: root, address: "127.0.0.1:8080", want: "application"},
		{what: "application to itself, IPv6", uid: root, address: "[::1]:8080", want: "application"},
		{what: "application to its pod's address", uid: root, address: "10.9.0.1:8080", want: "application"},
		{what: "application to its pod's IPv6 address", uid: root, address: "[fd00:9::1]:8080", want: "application"},
		{what: "application to another loopback address", uid: root, address: "127.0.0.6:8080", want: "application"},
		{what: "sidecar to another loopback address", uid: proxy, address: "127.0.0.6:8080", want: "inbound 127.0.0.6:8080"},
		{what: "sidecar to its application", uid: proxy, address: "127.0.0.1:8080", want: "application"},
		{what: "sidecar to its application, IPv6", uid: proxy, address: "[::1]:8080", want: "application"},
		{what: "sidecar to its own pod as a service", uid: proxy, address: "10.9.0.1:8080", want: "inbound 10.9.0.1:8080"},
		{what: "sidecar to its own pod as a service, IPv6", uid: proxy, address: "[fd00:9::1]:8080", want: "inbound [fd00:9::1]:8080"},
	})
}

func TestTraffic_Exclusions(t *testing.T) {
	t.Run("ports", func(t *testing.T) {
		n := newNetwork(t, Config{ExcludeOutboundPorts: []uint16{6379}, ExcludeInboundPorts: []uint16{9090}, ProbePorts: []uint16{15906}})
		checkDials(t, n, []dialCase{
			{what: "excluded outbound port", address: "10.9.0.2:6379", want: "peer"},
			{what: "excluded outbound port, IPv6", address: "[fd00:9::2]:6379", want: "peer"},
			{what: "another outbound port", address: "10.9.0.2:80", want: "outbound"},
			{what: "excluded inbound port", inbound: true, address: "10.9.0.1:9090", want: "application"},
			{what: "another inbound port", inbound: true, address: "10.9.0.1:8080", want: "inbound"},
			{what: "additional probe port", inbound: true, address: "10.9.0.1:15906", want: "application"},
		})
	})
	t.Run("ranges", func(t *testing.T) {
		n := newNetwork(t, Config{ExcludeOutboundRanges: prefixes("10.9.0.2/32", "fd00:9::/64")})
		checkDials(t, n, []dialCase{
			{what: "excluded range", address: "10.9.0.2:80", want: "peer"},
			{what: "excluded range, IPv6", address: "[fd00:9::2]:80", want: "peer"},
		})
	})
	t.Run("included ranges", func(t *testing.T) {
		n := newNetwork(t, Config{IncludeOutboundRanges: prefixes("10.9.0.0/24"), ExcludeOutboundPorts: []uint16{6379}})
		checkDials(t, n, []dialCase{
			{what: "included range", address: "10.9.0.2:80", want: "outbound"},
			{what: "an excluded port in an included range", address: "10.9.0.2:6379", want: "peer"},
			{what: "outside the included ranges", address: "[fd00:9::2]:80", want: "peer"},
		})
	})
	t.Run("interfaces", func(t *testing.T) {
		checkDials(t, newNetwork(t, Config{ExcludeInterfaces: []string{"eth0"}}), []dialCase{
			{what: "outbound by the interface", address: "10.9.0.2:80", want: "peer"},
			{what: "inbound by the interface", inbound: true, address: "10.9.0.1:8080", want: "application"},
		})
	})
}

// TestThreat27UDPBypassesSidecar checks the documented limit that only TCP is redirected.
func TestThreat27UDPBypassesSidecar(t *testing.T) {
	n := newNetwork(t, Config{})
	var client net.Conn
	var peer net.PacketConn
	var err error
	n.peer.Do(func() { peer, err = net.ListenPacket("udp", peer4+":53") })
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	n.pod.Do(func() { client, err = net.Dial("udp", peer4+":53") })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	_ = peer.SetReadDeadline(time.Now().Add(2 * time.Second))
	buffer := make([]byte, 64)
	size, from, err := peer.ReadFrom(buffer)
	if err != nil || string(buffer[:size]) != "question" || !strings.HasPrefix(from.String(), pod4+":") {
		t.Errorf("the peer received %q from %v: %v", buffer[:size], from, err)
	}
}

// TestTraffic_ToPodIP covers an application that listens on the pod's address only.
func TestTraffic_ToPodIP(t *testing.T) {
	config := Config{ToPodIP: true, PodIPs: []netip.Addr{netip.MustParseAddr(pod4)}}
	n := newNetwork(t, config)
	serve(n.pod.Listen(t, pod4+":7070"), func(*net.TCPConn) string { return "application" })
	serve(n.pod.Listen(t, "127.0.0.1:15000"), func(*net.TCPConn) string { return "admin" })
	checkDials(t, n, []dialCase{
		{what: "sidecar to its application", uid: proxy, address: "127.0.0.1:7070", want: "application"},
		{what: "sidecar to its own admin port", uid: proxy, address: "127.0.0.1:15000", want: "admin"},
		{what: "sidecar to its own pod as a service", uid: proxy, address: "10.9.0.1:7070", want: "inbound 10.9.0.1:7070"},
	})
}

// TestTraffic_DuringReplacement connects continuously while the rules are replaced. No connection may bypass the sidecar.
func TestTraffic_DuringReplacement(t *testing.T) {
	n := newNetwork(t, Config{})
	done := make(chan error)
	stop := make(chan struct{})
	replacer := nstest.Enter(t, n.pod)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				var err error
				replacer.Do(func() { err = Apply(Config{}) })
				if err != nil {
					done <- err
					return
				}
			}
		}
	}()
	for range 300 {
		if got := dialAndRead(n.pod, root, "10.9.0.2:80"); !strings.Contains(got, "outbound 10.9.0.2:80") {
			t.Fatalf("a connection bypassed the sidecar while the rules were replaced: it reached %q", got)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
