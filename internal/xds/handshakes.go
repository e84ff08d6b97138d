package xds

import (
	"errors"
	"net"
	"sync/atomic"
)

// Limits of handshakes. A handshake costs half a millisecond of a processor, which is what a push to twenty sidecars costs: a
// thousand at once would keep the sidecars that are connected waiting.
const (
	// minHandshakes is how many handshakes are worked at, at a time, on one processor; on more it is one for each.
	minHandshakes = 2
	// maxHandshakes is how many connections may be in their handshake. Further ones are closed, and try again.
	maxHandshakes = 4096
)

var errHandshakes = errors.New("too many connections are in their TLS handshake; try again")

// gate lets a few handshakes work at a time. A handshake that waits for the other end does not count, so that nobody can hold up
// others by being slow; whoever waits for a turn gets it in order.
type gate struct {
	turns  chan struct{}
	max    int64
	inside atomic.Int64
}

func newGate(turns int, limit int64) *gate {
	return &gate{turns: make(chan struct{}, turns), max: limit}
}

// enter takes a connection in and waits for its turn. Call leave at the end of the handshake.
func (g *gate) enter(raw net.Conn) (*gated, error) {
	if g.inside.Add(1) > g.max {
		g.inside.Add(-1)
		return nil, errHandshakes
	}
	g.turns <- struct{}{}
	return &gated{Conn: raw, gate: g}, nil
}

// gated is a connection that gives its turn away whenever it waits for the other end, until it leaves the gate.
type gated struct {
	net.Conn
	gate *gate
	left bool
}

// leave ends the handshake. It comes before anybody else uses the connection.
func (c *gated) leave() {
	c.left = true
	<-c.gate.turns
	c.gate.inside.Add(-1)
}

// Read implements net.Conn.
func (c *gated) Read(p []byte) (int, error) {
	if c.left {
		return c.Conn.Read(p)
	}
	<-c.gate.turns
	n, err := c.Conn.Read(p)
	c.gate.turns <- struct{}{}
	return n, err
}

// Write implements net.Conn.
func (c *gated) Write(p []byte) (int, error) {
	if c.left {
		return c.Conn.Write(p)
	}
	<-c.gate.turns
	n, err := c.Conn.Write(p)
	c.gate.turns <- struct{}{}
	return n, err
}
