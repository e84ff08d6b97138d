package verdict

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// gate is a listener whose connections a test can cut.
type gate struct {
	net.Listener
	// muted is true while nothing is sent on the connections. What they receive is still read.
	muted atomic.Bool

	mu     sync.Mutex
	closed bool
	conns  map[*gatedConn]struct{}
	// refused is an address whose connections are closed; the zero address for none.
	refused netip.Addr
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func newGate(listener net.Listener) *gate {
	return &gate{Listener: listener, conns: map[*gatedConn]struct{}{}}
}

// Accept implements net.Listener. While the gate is closed, it closes connections at once.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if gated := g.admit(conn); gated != nil {
			return gated, nil
		}
		_ = conn.Close()
	}
}

func (g *gate) admit(conn net.Conn) *gatedConn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || addressOf(conn) == g.refused {
		return nil
	}
	gated := &gatedConn{conn, g}
	g.conns[gated] = struct{}{}
	return gated
}

// cut closes all connections, and new ones until restore.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for conn := range g.conns {
		_ = conn.Conn.Close()
	}
	clear(g.conns)
}

// cutFrom closes the connections of an address, and new ones until restore.
func (g *gate) cutFrom(address netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = address
	for conn := range g.conns {
		if addressOf(conn) == address {
			_ = conn.Conn.Close()
			delete(g.conns, conn)
		}
	}
}

// addressOf returns the address of a client.
func addressOf(conn net.Conn) netip.Addr {
	address, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.IPv6Unspecified() // the address of no client
	}
	return address.Addr().Unmap()
}

// restore admits connections again.
func (g *gate) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.refused = false, netip.Addr{}
	g.muted.Store(false)
}

// Write implements net.Conn.
func (c *gatedConn) Write(p []byte) (int, error) {
	if c.gate.muted.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
