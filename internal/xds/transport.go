package xds

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// transport is TLS whose connections can be found again from a request's context. gRPC itself has no way to end a stream
// whose write is blocked by the other end.
type transport struct {
	credentials.TransportCredentials
	// handshakes bounds the handshakes at a time, and refused is called for each connection that there is no room for.
	handshakes *gate
	refused    func()
}

// connection is what is known of the connection of a request.
type connection struct {
	credentials.AuthInfo
	raw net.Conn
}

// ServerHandshake implements credentials.TransportCredentials.
func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	gated, err := t.handshakes.enter(raw)
	if err != nil {
		t.refused()
		return nil, nil, err
	}
	conn, info, err := t.TransportCredentials.ServerHandshake(gated)
	gated.leave()
	if err != nil {
		return nil, nil, err
	}
	return conn, connection{info, raw}, nil
}

// connectionOf is the connection that a request came over.
func connectionOf(ctx context.Context) connection {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(connection); ok {
			return c
		}
	}
	return connection{}
}

// cut closes the connection at once, with everything that waits to be written.
func (c connection) cut() {
	if c.raw != nil {
		_ = c.raw.Close()
	}
}
