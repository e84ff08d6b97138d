package xds

import (
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// A TLS handshake takes half a millisecond of CPU time, as much as a push to twenty proxies. A thousand concurrent handshakes would
// delay pushes to connected proxies.
//
// minActiveHandshakes is how many handshakes may use the CPU at the same time. With more processors it is one for each.
const minActiveHandshakes = 2

// handshakeLimiter limits concurrent TLS handshakes. A handshake that waits for the client does not count as active, so a slow
// client does not block others. Handshakes become active in order.
type handshakeLimiter struct {
	active chan struct{}
	total  atomic.Int64
}

func newHandshakeLimiter(active int) *handshakeLimiter {
	return &handshakeLimiter{active: make(chan struct{}, active)}
}

// begin waits until a handshake may be active. The caller calls end after the handshake.
func (l *handshakeLimiter) begin(conn *connlimit.Conn) *handshakeConn {
	l.total.Add(1)
	l.active <- struct{}{}
	return &handshakeConn{Conn: conn, handshakes: l}
}

// handshakeConn is a connection whose handshake is not active while it waits for the client.
type handshakeConn struct {
	*connlimit.Conn
	handshakes *handshakeLimiter
	ended      bool
}

// end ends the handshake. It must be called before the connection is used for anything else.
func (c *handshakeConn) end() {
	c.ended = true
	<-c.handshakes.active
	c.handshakes.total.Add(-1)
	c.SetBusy(false)
}

// suspend makes the handshake inactive while it waits for the client. The caller calls the returned function afterwards.
func (c *handshakeConn) suspend() (resume func()) {
	<-c.handshakes.active
	c.SetBusy(false)
	return func() {
		c.SetBusy(true)
		c.handshakes.active <- struct{}{}
	}
}

// Read implements net.Conn.
func (c *handshakeConn) Read(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Read(p)
	}
	defer c.suspend()()
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *handshakeConn) Write(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Write(p)
	}
	defer c.suspend()()
	return c.Conn.Write(p)
}
