package peering

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// transport is TLS that makes the connection of a request available, to close it. gRPC cannot end a stream whose write blocks.
type transport struct {
	credentials.TransportCredentials
	pending    *connlimit.Limiter
	handshakes *handshake.Limiter
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
	limited := t.handshakes.Begin(pending)
	conn, info, err := t.TransportCredentials.ServerHandshake(limited)
	limited.End()
	if err != nil {
		_ = pending.Close()
		return nil, nil, err
	}
	return conn, connection{info, pending}, nil
}

// connectionOf returns the connection of a request, and the state of its TLS. ok is false without one.
func connectionOf(ctx context.Context) (conn *connlimit.Conn, state tls.ConnectionState, ok bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, state, false
	}
	c, ok := p.AuthInfo.(connection)
	if !ok {
		return nil, state, false
	}
	info, ok := c.AuthInfo.(credentials.TLSInfo)
	return c.conn, info.State, ok
}
