package xds

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestConnectionWithoutStreamEnds completes a handshake and opens no stream.
func TestConnectionWithoutStreamEnds(t *testing.T) {
	transport := newTestTransport(t, handshake.NewLimiter(1), func() {})
	transport.pending = connlimit.New(connlimit.Limits{Total: 10, PerAddress: 10, Timeout: 50 * time.Millisecond}, func() {})
	client, server := net.Pipe()
	go func() {
		conn, _, err := transport.ServerHandshake(server)
		if err == nil {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays open")
	}
	eventually.True(t, waitLimit, "no connection is pending", func() bool {
		connections, _ := transport.pending.Counts()
		return connections == 0
	})
}

// TestSidecarConnectsWhileSilentOnesFill opens more silent connections than an address may have, over TCP.
func TestSidecarConnectsWhileSilentOnesFill(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	for range maxPendingPerAddress + 50 {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	sidecar := c.connect(t, c.tokenOf(m.server), fakexds.NewEnvoy())
	sidecar.waitFor(t, fakexds.SecretType, "service-cert")
}

// TestUnboundPodIsDisconnectedAfterThePendingTimeout opens a new stream whenever the server has ended one.
func TestUnboundPodIsDisconnectedAfterThePendingTimeout(t *testing.T) {
	t.Parallel()
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(meshtest.Pod("outside", "pod", "account", "app", "10.0.0.50"))
	for _, method := range []string{deltaMethod, loadMethod} {
		client := c.dialHostile(t)
		began := time.Now()
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			for time.Since(began) < pendingTimeout+5*time.Second {
				id := client.open(method, token)
				for client.isOpen(id) {
					time.Sleep(10 * time.Millisecond)
				}
				select {
				case <-client.closed:
					if took := time.Since(began); took < pendingTimeout-time.Second {
						t.Errorf("the connection was closed after %s, want %s", took, pendingTimeout)
					}
					return
				default:
				}
			}
			t.Errorf("a connection of an unbound pod is open after %s", time.Since(began))
		})
	}
}

// TestSilentStreamsEnd opens streams of a sidecar and sends nothing.
func TestSilentStreamsEnd(t *testing.T) {
	t.Parallel()
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	client := c.dialHostile(t)
	ads := client.open(deltaMethod, c.tokenOf(m.client))
	loads := client.open(loadMethod, c.tokenOf(m.client))
	eventually.True(t, firstRequestTimeout+waitLimit, "both streams have ended", func() bool { return !client.isOpen(ads) && !client.isOpen(loads) })
	if n := c.metric(t, "osm_proxy_rejected_count"); n == 0 {
		t.Error("no silent stream is counted")
	}
	eventually.True(t, waitLimit, "no sidecar is connected", func() bool { return len(c.store.Proxies()) == 0 })
}

// TestBothStreamsOfASidecarMayFillTheirWindows sends large first messages, as a sidecar that reconnects does: its load reports wait for its discovery stream.
func TestBothStreamsOfASidecarMayFillTheirWindows(t *testing.T) {
	t.Parallel()
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	client, token := c.dialHostile(t), c.tokenOf(m.client)+strings.Repeat(" ", maxTokenBytes-1024)
	loads := client.open(loadMethod, token)
	client.send(loads, firstMessage, 16<<10)
	ads := client.open(deltaMethod, token)
	client.send(ads, firstMessage, 16<<10)
	eventually.True(t, waitLimit, "the sidecar is connected", func() bool { return len(c.store.Proxies()) == 1 })
	if !client.isOpen(loads) || !client.isOpen(ads) {
		t.Error("the server has ended a stream")
	}
}
