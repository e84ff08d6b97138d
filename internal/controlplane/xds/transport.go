package xds

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// transport is TLS that makes the connection of a request available, to close it. gRPC cannot end a stream whose write blocks.
type transport struct {
	credentials.TransportCredentials
	pending    *connlimit.Limiter
	handshakes *handshakeLimiter
	messages   *messageLimiter
}

// connection is the connection of a request.
type connection struct {
	credentials.AuthInfo
	conn     *connlimit.Conn
	messages *messageConn
}

// The kernel detects within 40 seconds that the node of a client does not exist any more.
const (
	probeTime     = 30 * time.Second
	probeInterval = 5 * time.Second
	probeCount    = 2
	// userTimeout is how long sent data may remain without an acknowledgement of the client's kernel, which ends the probes.
	userTimeout = probeTime + probeCount*probeInterval
)

// detectDeadPeer sets the timeouts of the kernel. A connection that has none keeps those of gRPC.
func detectDeadPeer(raw net.Conn) {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeTime, Interval: probeInterval, Count: probeCount})
	if conn, err := tcp.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		})
	}
}

// ServerHandshake implements credentials.TransportCredentials.
func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	detectDeadPeer(raw)
	pending, err := t.pending.Admit(raw)
	if err != nil {
		return nil, nil, err
	}
	limited := t.handshakes.begin(pending)
	conn, info, err := t.TransportCredentials.ServerHandshake(limited)
	limited.end()
	if err != nil {
		_ = pending.Close()
		return nil, nil, err
	}
	messages := t.messages.newConn(conn)
	return messages, connection{info, pending, messages}, nil
}

// connectionOf returns the connection of a request.
func connectionOf(ctx context.Context) connection {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(connection); ok {
			return c
		}
	}
	return connection{}
}

// address returns the address of the client, or the zero address.
func (c connection) address() netip.Addr {
	if c.conn == nil {
		return netip.Addr{}
	}
	return c.conn.Address()
}

// abort closes the connection without waiting for pending writes.
func (c connection) abort() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// beginStream records that the connection has a stream whose pod is known to the Store. The caller calls the returned function after
// it.
func (c connection) beginStream() (end func()) {
	if c.conn == nil {
		return func() {}
	}
	c.messages.bind()
	endExemption := c.conn.Exempt()
	return func() {
		c.messages.unbind()
		endExemption()
	}
}

// handledFunc returns a function that records that the server does not need a message any more.
func handledFunc(ctx context.Context, message proto.Message) func() {
	c := connectionOf(ctx).messages
	if c == nil || !isLarge(message) {
		return func() {}
	}
	return c.handled
}

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
