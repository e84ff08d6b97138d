package xds

import (
	"context"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// transport is TLS that makes the connection of a request available, to close it. gRPC cannot end a stream whose write blocks.
type transport struct {
	credentials.TransportCredentials
	pending    *connlimit.Limiter
	handshakes *handshake.Limiter
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
	limited := t.handshakes.Begin(pending)
	conn, info, err := t.TransportCredentials.ServerHandshake(limited)
	limited.End()
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
