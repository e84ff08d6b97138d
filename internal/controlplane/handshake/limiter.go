package handshake

import (
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// MinActive is how many handshakes may use the CPU at the same time. With more processors it is one for each.
const MinActive = 2

// Limiter limits concurrent TLS handshakes. A handshake that waits for the client does not count as active, so a slow
// client does not block others. Handshakes become active in order.
type Limiter struct {
	active chan struct{}
	total  atomic.Int64
}

// NewLimiter returns a Limiter for a number of active handshakes.
func NewLimiter(active int) *Limiter {
	return &Limiter{active: make(chan struct{}, active)}
}

// Count returns how many handshakes have begun and not ended.
func (l *Limiter) Count() int { return int(l.total.Load()) }

// Begin waits until a handshake may be active. The caller calls End after the handshake.
func (l *Limiter) Begin(conn *connlimit.Conn) *Conn {
	l.total.Add(1)
	l.active <- struct{}{}
	return &Conn{Conn: conn, handshakes: l}
}

// Conn is a connection whose handshake is not active while it waits for the client.
type Conn struct {
	*connlimit.Conn
	handshakes *Limiter
	ended      bool
}

// End ends the handshake. It must be called before the connection is used for anything else.
func (c *Conn) End() {
	c.ended = true
	<-c.handshakes.active
	c.handshakes.total.Add(-1)
	c.SetBusy(false)
}

// suspend makes the handshake inactive while it waits for the client. The caller calls the returned function afterwards.
func (c *Conn) suspend() (resume func()) {
	<-c.handshakes.active
	c.SetBusy(false)
	return func() {
		c.SetBusy(true)
		c.handshakes.active <- struct{}{}
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Read(p)
	}
	defer c.suspend()()
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if c.ended {
		return c.Conn.Write(p)
	}
	defer c.suspend()()
	return c.Conn.Write(p)
}
