package xds

import (
	"errors"
	"net"
	"sync/atomic"
)

// A TLS handshake takes half a millisecond of CPU time, as much as a push to twenty proxies. A thousand concurrent handshakes would
// delay pushes to connected proxies.
const (
	// minActiveHandshakes is how many handshakes may use the CPU at the same time. With more processors it is one for each.
	minActiveHandshakes = 2
	// maxHandshakes is how many connections may be in their handshake. Further ones are closed.
	maxHandshakes = 4096
)

var errTooManyHandshakes = errors.New("too many connections are in their TLS handshake; try again")

// handshakeLimiter limits concurrent TLS handshakes. A handshake that waits for the client does not count as active, so a slow
// client does not block others. Handshakes become active in order.
type handshakeLimiter struct {
	active chan struct{}
	limit  int64
	total  atomic.Int64
}

func newHandshakeLimiter(active int, limit int64) *handshakeLimiter {
	return &handshakeLimiter{active: make(chan struct{}, active), limit: limit}
}

// begin waits until a handshake may be active. The caller calls end after the handshake.
func (l *handshakeLimiter) begin(raw net.Conn) (*handshakeConn, error) {
	if l.total.Add(1) > l.limit {
		l.total.Add(-1)
		return nil, errTooManyHandshakes
	}
	l.active <- struct{}{}
	return &handshakeConn{Conn: raw, limiter: l}, nil
}

// handshakeConn is a connection whose handshake is not active while it waits for the client.
type handshakeConn struct {
	net.Conn
	limiter *handshakeLimiter
	ended   bool
}

// end ends the handshake. It must be called before the connection is used for anything else.
func (c *handshakeConn) end() {
	c.ended = true
	<-c.limiter.active
	c.limiter.total.Add(-1)
}

// Read implements net.Conn.
func (c *handshakeConn) Read(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Read(p)
	}
	<-c.limiter.active
	n, err := c.Conn.Read(p)
	c.limiter.active <- struct{}{}
	return n, err
}

// Write implements net.Conn.
func (c *handshakeConn) Write(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Write(p)
	}
	<-c.limiter.active
	n, err := c.Conn.Write(p)
	c.limiter.active <- struct{}{}
	return n, err
}
