package xds

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// door is a transport with a gate, whose certificate is asked for while a handshake is worked at.
func door(t *testing.T, g *gate, working func()) transport {
	chain, key := pki.New(t).Issue(t, meshtest.SA("control", "ads"), trustDomain)
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{NextProtos: []string{"h2"}, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		working()
		return &pair, nil
	}}
	return transport{credentials.NewTLS(config), g, func() {}}
}

// knock connects without any check of who answers, and says how the server's side of the handshake ended.
func (t transport) knock(speak bool) (client net.Conn, ended <-chan error) {
	client, server := net.Pipe()
	result := make(chan error, 1)
	go func() {
		_, _, err := t.ServerHandshake(server)
		result <- err
	}()
	if speak {
		go func() {
			conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			_ = conn.Handshake()
			_, _ = conn.Read(make([]byte, 1)) // takes what the server says at last
		}()
	}
	return client, result
}

// TestFewHandshakesAtATime counts how many are worked at.
func TestFewHandshakesAtATime(t *testing.T) {
	const turns, connections = 2, 30
	var current, highest atomic.Int64
	d := door(t, newGate(turns, connections), func() {
		at := current.Add(1)
		for highest.Load() < at && !highest.CompareAndSwap(highest.Load(), at) {
			continue
		}
		for range 1000 {
			runtime.Gosched() // gives the others every chance to come in
		}
		current.Add(-1)
	})
	var wait sync.WaitGroup
	for range connections {
		client, ended := d.knock(true)
		wait.Go(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
			_ = client.Close()
		})
	}
	wait.Wait()
	if highest.Load() > turns {
		t.Errorf("%d handshakes were worked at, at a time", highest.Load())
	}
	if n := d.handshakes.inside.Load(); n != 0 {
		t.Errorf("%d connections are still in their handshake", n)
	}
}

// TestSlowHandshakesHoldNobodyUp has as many connections that say nothing as there are turns, and one more than there is room for.
func TestSlowHandshakesHoldNobodyUp(t *testing.T) {
	d := door(t, newGate(1, 3), func() {})
	silent, _ := d.knock(false)
	other, otherEnded := d.knock(false)
	_, ended := d.knock(true)
	if err := <-ended; err != nil {
		t.Errorf("beside silent ones: %v", err)
	}
	waitUntil(t, func() bool { return d.handshakes.inside.Load() == 2 })
	third, _ := d.knock(false)
	waitUntil(t, func() bool { return d.handshakes.inside.Load() == 3 })
	if _, ended := d.knock(true); !errors.Is(<-ended, errHandshakes) {
		t.Error("there was room for one too many")
	}
	_ = other.Close()
	if err := <-otherEnded; err == nil {
		t.Error("a handshake without a client succeeded")
	}
	if _, ended = d.knock(true); <-ended != nil {
		t.Error("there is no room though one has left")
	}
	_, _ = silent.Close(), third.Close()
}

// TestThreat50StalledHandshakesDisturbNobody opens connections that say a byte and wait.
func TestThreat50StalledHandshakesDisturbNobody(t *testing.T) {
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
	newcomer.waitFor(t, fakexds.SecretType, "service-cert:a/server")
	for _, conn := range stalled {
		_ = conn.Close()
	}
	waitUntil(t, func() bool { return i.metric(t, "osm_proxy_handshake_count") == 0 })
}
