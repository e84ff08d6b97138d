package pods_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestWebSocketsAreNotClosedBeforeTheEndOfADrain drains the listeners of a client and of a server. Envoy 1.40 would close WebSockets in the last third of the
// drain, also in a sidecar that drains because another one has taken over, and there they would have stayed for as long as they last.
func TestWebSocketsAreNotClosedBeforeTheEndOfADrain(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	n.Drain = 30 * time.Second
	s := newShopIn(t, n)
	s.configure(t, s.clientScope(), s.serverScope())
	conn := s.throughSidecar(t)
	fmt.Fprint(conn, "GET /books/echo HTTP/1.1\r\nHost: web\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	reader := bufio.NewReader(conn)
	for line := "-"; strings.TrimSpace(line) != ""; {
		var err error
		if line, err = reader.ReadString('\n'); err != nil {
			t.Fatalf("no WebSocket is open: %v", err)
		}
	}
	client, server := s.clientScope(), s.serverScope()
	client.Tracing = &catalog.Tracing{Address: "192.0.2.1", Port: 9411, Path: "/api/v2/spans"}
	server.Tracing = client.Tracing
	begun := time.Now()
	s.configure(t, client, server)
	if err := conn.SetReadDeadline(begun.Add(n.Drain - 2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if text, err := reader.ReadString('\n'); !isTimeout(err) {
		t.Errorf("after %s, the WebSocket reads %q, %v", time.Since(begun).Round(time.Second), text, err)
	}
}
