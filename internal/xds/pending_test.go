package xds

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/connlimit"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// TestAuditS4ConnectionWithoutStreamEnds completes a handshake and opens no stream.
func TestAuditS4ConnectionWithoutStreamEnds(t *testing.T) {
	transport := newTestTransport(t, newHandshakeLimiter(1), func() {})
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

// TestAuditS4SidecarConnectsWhileSilentOnesFill opens more silent connections than an address may have, over TCP.
func TestAuditS4SidecarConnectsWhileSilentOnesFill(t *testing.T) {
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
