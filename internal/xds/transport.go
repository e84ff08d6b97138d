package xds

import (
	"context"
	"net"
	"net/netip"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/openservicemesh/osm-operator/internal/connlimit"
)

// transport is TLS that makes the connection of a request available, to close it. gRPC cannot end a stream whose write blocks.
type transport struct {
	credentials.TransportCredentials
	pending    *connlimit.Limiter
	handshakes *handshakeLimiter
}

// connection is the connection of a request.
type connection struct {
	credentials.AuthInfo
	conn *connlimit.Conn
}

// ServerHandshake implements credentials.TransportCredentials.
func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
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
	return conn, connection{info, pending}, nil
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

// beginStream records that the connection has an authenticated stream. The caller calls the returned function after it.
func (c connection) beginStream() (end func()) {
	if c.conn == nil {
		return func() {}
	}
	return c.conn.Exempt()
}
