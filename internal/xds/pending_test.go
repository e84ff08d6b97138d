package xds

import (
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// addressedConn is a connection from an address that records whether it was closed.
type addressedConn struct {
	net.Conn
	remote netip.Addr
	closed bool
}

func (c *addressedConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.remote, 1))
}

func (c *addressedConn) Close() error {
	c.closed = true
	return nil
}

// admitSilent admits a connection that waits for its client.
func admitSilent(t *testing.T, l *pendingLimiter, address string) *addressedConn {
	t.Helper()
	conn := &addressedConn{remote: netip.MustParseAddr(address)}
	c, err := l.admit(conn)
	if err != nil {
		t.Fatalf("a connection from %s: %v", address, err)
	}
	c.setBusy(false)
	return conn
}

// TestAuditS4SilentConnectionsLockNobodyOut fills the server from many pods, each above its limit.
func TestAuditS4SilentConnectionsLockNobodyOut(t *testing.T) {
	closed := 0
	l := newPendingLimiter(maxPending, maxPendingPerAddress, time.Hour, func() { closed++ })
	first := admitSilent(t, l, "10.0.0.1")
	for pod := range 32 {
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(pod + 1)}).String()
		for range maxPendingPerAddress + 10 {
			if c, err := l.admit(&addressedConn{remote: netip.MustParseAddr(address)}); err == nil {
				c.setBusy(false)
			}
		}
	}
	if l.count > maxPending || !first.closed || closed == 0 {
		t.Errorf("%d connections are pending, the oldest is closed: %t, %d were closed", l.count, first.closed, closed)
	}
	for pod := range 200 {
		honest := admitSilent(t, l, netip.AddrFrom4([4]byte{10, 1, 0, byte(pod)}).String())
		if honest.closed {
			t.Fatal("a newcomer was closed")
		}
	}
	for pod := range 200 {
		if n := l.lengthOf(netip.AddrFrom4([4]byte{10, 1, 0, byte(pod)})); n != 1 {
			t.Fatalf("pod %d has %d connections, want 1", pod, n)
		}
	}
}

// TestAuditS4OverloadRefusesNewcomers checks that pods with one connection each do not displace each other. Otherwise no
// handshake would complete while all sidecars reconnect.
func TestAuditS4OverloadRefusesNewcomers(t *testing.T) {
	l := newPendingLimiter(2, 2, time.Hour, func() {})
	one, two := admitSilent(t, l, "10.0.0.1"), admitSilent(t, l, "10.0.0.2")
	if _, err := l.admit(&addressedConn{remote: netip.MustParseAddr("10.0.0.3")}); err == nil || one.closed || two.closed {
		t.Errorf("the newcomer was admitted (%v), or another was closed: %t, %t", err, one.closed, two.closed)
	}
}

// TestAuditS4ConnectionWithoutStreamEnds completes a handshake and opens no stream.
func TestAuditS4ConnectionWithoutStreamEnds(t *testing.T) {
	transport := newTestTransport(t, newHandshakeLimiter(1), func() {})
	transport.pending = newPendingLimiter(10, 10, 50*time.Millisecond, func() {})
	client, server := net.Pipe()
	go func() {
		conn, _, err := transport.ServerHandshake(server)
		if err == nil {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays open")
	}
	waitUntil(t, func() bool {
		transport.pending.mu.Lock()
		defer transport.pending.mu.Unlock()
		return transport.pending.count == 0
	})
}

// TestAuditS4StreamsAreNotPending checks that only connections without an authenticated stream are limited.
func TestAuditS4StreamsAreNotPending(t *testing.T) {
	l := newPendingLimiter(1, 1, time.Nanosecond, func() {})
	conn, err := l.admit(&addressedConn{remote: netip.MustParseAddr("10.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	end := conn.beginStream()
	if l.count != 0 {
		t.Error("a connection with a stream is pending")
	}
	end()
	if l.count != 1 {
		t.Error("a connection without a stream is not pending")
	}
	_ = conn.Close()
	if l.count != 0 || len(l.byAddress) != 0 {
		t.Errorf("%d connections are left after the last was closed", l.count)
	}
}

// TestAuditS4SidecarConnectsWhileSilentOnesFill opens more silent connections than an address may have, over TCP.
func TestAuditS4SidecarConnectsWhileSilentOnesFill(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	for range maxPendingPerAddress + 50 {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	sidecar := c.connect(t, c.tokenOf(m.server), fakexds.NewEnvoy())
	sidecar.waitFor(t, fakexds.SecretType, "service-cert:a/server")
}
