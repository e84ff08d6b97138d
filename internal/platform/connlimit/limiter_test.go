package connlimit

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// The limits of most servers are similar to these.
const total, perAddress = 4096, 256

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
func admitSilent(t *testing.T, l *Limiter, address string) *addressedConn {
	t.Helper()
	conn := &addressedConn{remote: netip.MustParseAddr(address)}
	c, err := l.Admit(conn)
	if err != nil {
		t.Fatalf("a connection from %s: %v", address, err)
	}
	c.SetBusy(false)
	return conn
}

// TestSilentConnectionsLockNobodyOut fills the server from many pods, each above its limit.
func TestSilentConnectionsLockNobodyOut(t *testing.T) {
	closed := 0
	l := New(Limits{Total: total, PerAddress: perAddress, Timeout: time.Hour}, func() { closed++ })
	first := admitSilent(t, l, "10.0.0.1")
	for pod := range 32 {
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(pod + 1)}).String()
		for range perAddress + 10 {
			if c, err := l.Admit(&addressedConn{remote: netip.MustParseAddr(address)}); err == nil {
				c.SetBusy(false)
			}
		}
	}
	if l.count > total || !first.closed || closed == 0 {
		t.Errorf("%d connections are counted, the oldest is closed: %t, %d were closed", l.count, first.closed, closed)
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

// TestOverloadRejectsNewcomers checks that pods with one connection each do not displace each other. Otherwise no
// handshake would complete while all sidecars reconnect.
func TestOverloadRejectsNewcomers(t *testing.T) {
	l := New(Limits{Total: 2, PerAddress: 2, Timeout: time.Hour}, func() {})
	one, two := admitSilent(t, l, "10.0.0.1"), admitSilent(t, l, "10.0.0.2")
	if _, err := l.Admit(&addressedConn{remote: netip.MustParseAddr("10.0.0.3")}); err == nil || one.closed || two.closed {
		t.Errorf("the newcomer was admitted (%v), or another was closed: %t, %t", err, one.closed, two.closed)
	}
}

// TestExemptConnectionsAreNotCounted checks that an exempt connection takes no place.
func TestExemptConnectionsAreNotCounted(t *testing.T) {
	l := New(Limits{Total: 1, PerAddress: 1, Timeout: time.Hour}, func() {})
	conn, err := l.Admit(&addressedConn{remote: netip.MustParseAddr("10.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	end := conn.Exempt()
	if l.count != 0 {
		t.Error("an exempt connection is counted")
	}
	end()
	if l.count != 1 {
		t.Error("a connection is not counted after its exemption")
	}
	_ = conn.Close()
	if l.count != 0 || len(l.byAddress) != 0 {
		t.Errorf("%d connections are left after the last was closed", l.count)
	}
}
