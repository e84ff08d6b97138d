package flood

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
)

// Kind is what the clients of a flood do.
type Kind string

// The kinds.
const (
	// Silent clients open connections and send nothing.
	Silent Kind = "connections that send nothing"
	// Handshakes are TLS handshakes without a stream.
	Handshakes Kind = "TLS handshakes without a stream"
)

// network is that of the flood's addresses, which no sidecar of the benchmark has.
const network = 2

// Limits bound a flood.
type Limits struct {
	// Addresses is the number of addresses, and PerAddress how many connections each keeps open.
	Addresses, PerAddress int
	// PerSecond is how many connections are opened in a second, in total.
	PerSecond int
}

// Flood is a running flood.
type Flood struct {
	address string
	tls     *tls.Config
	kind    Kind

	stop           context.CancelFunc
	clients        sync.WaitGroup
	opened, closed atomic.Int64
}

// Start starts a flood of the server at an address. Each client connects again when the server closes its connection.
func Start(address string, config *tls.Config, kind Kind, limits Limits) *Flood {
	ctx, stop := context.WithCancel(context.Background())
	f := &Flood{address: address, tls: config, kind: kind, stop: stop}
	permits := make(chan struct{})
	f.clients.Go(func() { issue(ctx, permits, limits.PerSecond) })
	for i := range limits.Addresses {
		for range limits.PerAddress {
			f.clients.Go(func() { f.client(ctx, fleet.LoopbackAddress(network, i), permits) })
		}
	}
	return f
}

// Opened returns how many connections were opened so far.
func (f *Flood) Opened() int64 { return f.opened.Load() }

// Closed returns how many of them the server has closed.
func (f *Flood) Closed() int64 { return f.closed.Load() }

// Stop closes all connections.
func (f *Flood) Stop() {
	f.stop()
	f.clients.Wait()
}

// issue permits connections at a rate.
func issue(ctx context.Context, permits chan<- struct{}, perSecond int) {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case <-ctx.Done():
			return
		case permits <- struct{}{}:
		}
	}
}

// client keeps one connection open.
func (f *Flood) client(ctx context.Context, from net.IP, permits <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-permits:
		}
		if f.connect(ctx, from) && ctx.Err() == nil {
			f.closed.Add(1)
		}
	}
}

// connect opens a connection and reports whether it was opened, after it was closed.
func (f *Flood) connect(ctx context.Context, from net.IP) bool {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", f.address)
	if err != nil {
		return false
	}
	f.opened.Add(1)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if f.kind == Handshakes {
		secured := tls.Client(conn, f.tls)
		if secured.HandshakeContext(ctx) != nil {
			return true
		}
		conn = secured
	}
	received := make([]byte, 512)
	for {
		if _, err := conn.Read(received); err != nil {
			return true
		}
	}
}
