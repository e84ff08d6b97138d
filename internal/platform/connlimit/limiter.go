package connlimit

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

var errTooMany = errors.New("too many connections wait for their clients; try again")

// Limits are the limits of a Limiter.
type Limits struct {
	// Total is how many connections may be counted, PerAddress how many of them from one address.
	Total, PerAddress int
	// Timeout is how long a connection may be counted. Zero means no limit.
	Timeout time.Duration
}

// Limiter limits connections. At a limit it closes the oldest one that waits for its client.
type Limiter struct {
	limits Limits
	// onClosed is called for each connection that is refused or closed because of a limit.
	onClosed func()

	mu sync.Mutex
	// byAddress has the counted connections of each address, the oldest first.
	byAddress map[netip.Addr]*list.List
	count     int
}

// New returns a Limiter. It calls onClosed for each connection that is refused or closed because of a limit.
func New(limits Limits, onClosed func()) *Limiter {
	return &Limiter{limits: limits, onClosed: onClosed, byAddress: map[netip.Addr]*list.List{}}
}

// Conn is a connection of a Limiter.
type Conn struct {
	net.Conn
	limiter *Limiter
	address netip.Addr

	// The limiter's mutex guards the following fields.

	element *list.Element
	timer   *time.Timer
	// busy is true while the server works for the connection, rather than waiting for the client.
	busy bool
	// exemptions counts the reasons not to count the connection.
	exemptions int
	closed     bool
}

// Admit adds a connection, and closes another one if a limit is reached. The connection is busy at first.
func (l *Limiter) Admit(raw net.Conn) (*Conn, error) {
	c := &Conn{Conn: raw, limiter: l, address: addressOf(raw), busy: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.makeRoom(c.address) {
		l.onClosed()
		return nil, errTooMany
	}
	l.add(c)
	return c, nil
}

// makeRoom reports whether a connection from the address can be added. An address within its limit takes the place of one
// that has more connections.
func (l *Limiter) makeRoom(address netip.Addr) bool {
	own := l.lengthOf(address)
	if own >= l.limits.PerAddress {
		return l.evict(address)
	}
	if l.count < l.limits.Total {
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

func (l *Limiter) lengthOf(address netip.Addr) int {
	if connections := l.byAddress[address]; connections != nil {
		return connections.Len()
	}
	return 0
}

// evict closes the oldest connection of an address that waits for its client, and reports whether there is one.
func (l *Limiter) evict(address netip.Addr) bool {
	for e := l.byAddress[address].Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*Conn); ok && !c.busy {
			l.remove(c)
			l.onClosed()
			_ = c.Conn.Close()
			return true
		}
	}
	return false
}

func (l *Limiter) add(c *Conn) {
	if l.byAddress[c.address] == nil {
		l.byAddress[c.address] = list.New()
	}
	c.element = l.byAddress[c.address].PushBack(c)
	if l.limits.Timeout > 0 {
		c.timer = time.AfterFunc(l.limits.Timeout, func() {
			l.onClosed()
			_ = c.Conn.Close()
		})
	}
	l.count++
}

func (l *Limiter) remove(c *Conn) {
	if c.element == nil {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	connections := l.byAddress[c.address]
	connections.Remove(c.element)
	if connections.Len() == 0 {
		delete(l.byAddress, c.address)
	}
	c.element = nil
	l.count--
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.limiter.mu.Lock()
	c.closed = true
	c.limiter.remove(c)
	c.limiter.mu.Unlock()
	return c.Conn.Close()
}

// Address returns the address of the client, or the zero address.
func (c *Conn) Address() netip.Addr { return c.address }

// SetBusy records whether the server works for the connection. A busy connection is never closed for another one.
func (c *Conn) SetBusy(busy bool) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.busy = busy
}

// Exempt stops counting the connection until the returned function has been called. Then the connection counts like a new one, with
// the whole timeout. So a server exempts only connections of clients that it serves.
func (c *Conn) Exempt() (end func()) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.exemptions++
	c.limiter.remove(c)
	return c.endExemption
}

func (c *Conn) endExemption() {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.exemptions--
	switch {
	case c.exemptions > 0 || c.closed:
	case c.limiter.makeRoom(c.address):
		c.limiter.add(c)
	default:
		c.limiter.onClosed()
		_ = c.Conn.Close()
	}
}

// Counts returns how many connections and how many addresses are counted.
func (l *Limiter) Counts() (connections, addresses int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, len(l.byAddress)
}

// addressOf is the client's address; the zero address if it has none.
func addressOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Listener is a listener whose connections a Limiter counts until they are closed.
type Listener struct {
	net.Listener
	limiter *Limiter
}

// NewListener returns a Listener. Its connections wait for their clients at first.
func NewListener(inner net.Listener, limiter *Limiter) Listener {
	return Listener{inner, limiter}
}

// Accept implements net.Listener. Connections that are refused are closed.
func (l Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err := l.limiter.Admit(raw)
		if err != nil {
			_ = raw.Close()
			continue
		}
		conn.SetBusy(false)
		return conn, nil
	}
}
