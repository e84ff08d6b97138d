package verdict

import (
	"net"
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
	if g.closed {
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

// restore admits connections again.
func (g *gate) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
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
