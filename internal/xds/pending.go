package xds

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A connection is pending while it has no authenticated stream. Opening one needs no credentials, so pending connections
// are limited in number and time.
const (
	// maxPending is how many connections may be pending.
	maxPending = 4096
	// maxPendingPerAddress is how many may be pending from one address. A pod needs one; an address can stand for all
	// pods of a node.
	maxPendingPerAddress = 256
	// pendingTimeout is how long a connection may be pending.
	pendingTimeout = 15 * time.Second
)

var errTooManyPending = errors.New("too many connections wait for authentication; try again")

// pendingLimiter limits pending connections. At a limit it closes the oldest one that waits for its client.
type pendingLimiter struct {
	total, perAddress int
	timeout           time.Duration
	// onClosed is called for each connection that is refused or closed because of a limit.
	onClosed func()

	mu sync.Mutex
	// byAddress has the pending connections of each address, the oldest first.
	byAddress map[netip.Addr]*list.List
	count     int
}

func newPendingLimiter(total, perAddress int, timeout time.Duration, onClosed func()) *pendingLimiter {
	return &pendingLimiter{
		total: total, perAddress: perAddress, timeout: timeout, onClosed: onClosed, byAddress: map[netip.Addr]*list.List{},
	}
}

// pendingConn is a connection that the limiter counts while it is pending.
type pendingConn struct {
	net.Conn
	limiter *pendingLimiter
	address netip.Addr

	// The limiter's mutex guards the following fields.

	element *list.Element
	timer   *time.Timer
	// busy is true while the server works for the connection, rather than waiting for the client.
	busy bool
	// streams counts authenticated streams.
	streams int
	closed  bool
}

// admit adds a connection, and closes another one if a limit is reached.
func (l *pendingLimiter) admit(raw net.Conn) (*pendingConn, error) {
	c := &pendingConn{Conn: raw, limiter: l, address: addressOf(raw), busy: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.makeRoom(c.address) {
		l.onClosed()
		return nil, errTooManyPending
	}
	l.add(c)
	return c, nil
}

// makeRoom reports whether a connection from the address can be added. An address within its limit takes the place of one
// that has more connections.
func (l *pendingLimiter) makeRoom(address netip.Addr) bool {
	own := l.lengthOf(address)
	if own >= l.perAddress {
		return l.evict(address)
	}
	if l.count < l.total {
		return true
	}
	largest, most := netip.Addr{}, own+1
	for other := range l.byAddress {
		if n := l.lengthOf(other); n > most || n == most && other.Less(largest) {
			largest, most = other, n
		}
	}
	return most > own+1 && l.evict(largest)
}

func (l *pendingLimiter) lengthOf(address netip.Addr) int {
	if connections := l.byAddress[address]; connections != nil {
		return connections.Len()
	}
	return 0
}

// evict closes the oldest connection of an address that waits for its client, and reports whether there is one.
func (l *pendingLimiter) evict(address netip.Addr) bool {
	for e := l.byAddress[address].Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*pendingConn); ok && !c.busy {
			l.remove(c)
			l.onClosed()
			_ = c.Conn.Close()
			return true
		}
	}
	return false
}

func (l *pendingLimiter) add(c *pendingConn) {
	if l.byAddress[c.address] == nil {
		l.byAddress[c.address] = list.New()
	}
	c.element = l.byAddress[c.address].PushBack(c)
	c.timer = time.AfterFunc(l.timeout, func() {
		l.onClosed()
		_ = c.Conn.Close()
	})
	l.count++
}

func (l *pendingLimiter) remove(c *pendingConn) {
	if c.element == nil {
		return
	}
	c.timer.Stop()
	connections := l.byAddress[c.address]
	connections.Remove(c.element)
	if connections.Len() == 0 {
		delete(l.byAddress, c.address)
	}
	c.element = nil
	l.count--
}

// Close implements net.Conn.
func (c *pendingConn) Close() error {
	c.limiter.mu.Lock()
	c.closed = true
	c.limiter.remove(c)
	c.limiter.mu.Unlock()
	return c.Conn.Close()
}

// setBusy records whether the server works for the connection.
func (c *pendingConn) setBusy(busy bool) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.busy = busy
}

// beginStream records an authenticated stream. The caller calls the returned function after it.
func (c *pendingConn) beginStream() (end func()) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.streams++
	c.limiter.remove(c)
	return c.endStream
}

func (c *pendingConn) endStream() {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.streams--
	switch {
	case c.streams > 0 || c.closed:
	case c.limiter.makeRoom(c.address):
		c.limiter.add(c)
	default:
		c.limiter.onClosed()
		_ = c.Conn.Close()
	}
}

// addressOf is the client's address; the zero address if it has none.
func addressOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
