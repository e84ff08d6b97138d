package xds

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// transport is TLS that makes the connection of a request available, to close it. gRPC cannot end a stream whose write blocks.
type transport struct {
	credentials.TransportCredentials
	handshakes *handshakeLimiter
	// onRejected is called for each connection above the limit of handshakes.
	onRejected func()
}

// connection is the connection of a request.
type connection struct {
	credentials.AuthInfo
	raw net.Conn
}

// ServerHandshake implements credentials.TransportCredentials.
func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	limited, err := t.handshakes.begin(raw)
	if err != nil {
		t.onRejected()
		return nil, nil, err
	}
	conn, info, err := t.TransportCredentials.ServerHandshake(limited)
	limited.end()
	if err != nil {
		return nil, nil, err
	}
	return conn, connection{info, raw}, nil
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

// abort closes the connection without waiting for pending writes.
func (c connection) abort() {
	if c.raw != nil {
		_ = c.raw.Close()
	}
}
