package xds

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// newTestTransport returns a transport with a limiter. It calls onActive while a handshake is active.
func newTestTransport(t *testing.T, l *handshake.Limiter, onActive func()) transport {
	chain, key := pki.New(t).Issue(t, meshtest.SA("control", "ads"), trustDomain)
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{NextProtos: []string{"h2"}, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		onActive()
		return &pair, nil
	}}
	limits := connlimit.Limits{Total: maxPending, PerAddress: maxPending, Timeout: time.Minute}
	return transport{credentials.NewTLS(config), connlimit.New(limits, func() {}), l, newMessageLimiter(1, time.Minute, func(error) {})}
}

// connect opens a connection and returns the result of the server's handshake. The client starts its handshake only if handshake is
// true.
func (t transport) connect(handshake bool) (client net.Conn, ended <-chan error) {
	client, server := net.Pipe()
	result := make(chan error, 1)
	go func() {
		_, _, err := t.ServerHandshake(server)
		result <- err
	}()
	if handshake {
		go func() {
			conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			_ = conn.Handshake()
			_, _ = conn.Read(make([]byte, 1)) // reads the end of the handshake
		}()
	}
	return client, result
}

func TestHandshakeLimiter_LimitsActiveHandshakes(t *testing.T) {
	const active, connections = 2, 30
	var current, highest atomic.Int64
	transport := newTestTransport(t, handshake.NewLimiter(active), func() {
		at := current.Add(1)
		for highest.Load() < at && !highest.CompareAndSwap(highest.Load(), at) {
			continue
		}
		for range 1000 {
			runtime.Gosched() // lets the others run
		}
		current.Add(-1)
	})
	var wait sync.WaitGroup
	for range connections {
		client, ended := transport.connect(true)
		wait.Go(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
			_ = client.Close()
		})
	}
	wait.Wait()
	if highest.Load() > active {
		t.Errorf("%d handshakes were active at the same time", highest.Load())
	}
	if n := transport.handshakes.Count(); n != 0 {
		t.Errorf("%d connections are still in their handshake", n)
	}
}

// TestHandshakeLimiter_SilentClientsDoNotBlock opens more silent connections than handshakes may be active.
func TestHandshakeLimiter_SilentClientsDoNotBlock(t *testing.T) {
	transport := newTestTransport(t, handshake.NewLimiter(1), func() {})
	silent, _ := transport.connect(false)
	other, otherEnded := transport.connect(false)
	_, ended := transport.connect(true)
	if err := <-ended; err != nil {
		t.Errorf("with silent connections: %v", err)
	}
	eventually.True(t, waitLimit, "two handshakes are open", func() bool { return transport.handshakes.Count() == 2 })
	third, _ := transport.connect(false)
	eventually.True(t, waitLimit, "three handshakes are open", func() bool { return transport.handshakes.Count() == 3 })
	_ = other.Close()
	if err := <-otherEnded; err == nil {
		t.Error("a handshake without a client succeeded")
	}
	_, _ = silent.Close(), third.Close()
}

// TestThreat50StalledHandshakesDoNotDelayOthers opens connections that send one byte and wait.
func TestThreat50StalledHandshakesDoNotDelayOthers(t *testing.T) {
	i := newIsolation(t, 20)
	var stalled []net.Conn
	i.check(t, func(ctx context.Context) {
		for range 200 {
			conn, err := net.Dial("tcp", i.address)
			if err != nil {
				t.Error(err)
				return
			}
			stalled = append(stalled, conn)
			_, _ = conn.Write([]byte{0x16})
		}
		<-ctx.Done()
	})
	newcomer := i.connect(t, i.tokenOf(i.mesh.server), fakexds.NewEnvoy())
	newcomer.waitFor(t, fakexds.SecretType, "service-cert")
	for _, conn := range stalled {
		_ = conn.Close()
	}
	eventually.True(t, waitLimit, "no handshake is open", func() bool { return i.metric(t, "osm_proxy_handshake_count") == 0 })
}
