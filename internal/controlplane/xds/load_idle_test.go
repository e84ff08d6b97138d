package xds

import (
	"testing"
	"time"

	book "github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
)

// TestIdleLoadReportsWakeNobody checks that nothing looks at the open streams of load reports of a mesh without decision servers: a stream
// that was forgotten gets what it should report only when a server is added.
func TestIdleLoadReportsWakeNobody(t *testing.T) {
	t.Parallel()
	c, r, policy := startUnserved(t)
	clients := c.server.loadClients.all()
	for _, client := range clients {
		client.mu.Lock()
		client.interval = 0 // whoever looks at the stream requests reports again
		client.mu.Unlock()
	}
	responses := make(chan time.Duration, 1)
	go func() {
		for {
			response, err := r.stream.Recv()
			if err != nil {
				return
			}
			responses <- response.GetLoadReportingInterval().AsDuration()
		}
	}()
	// Longer than any interval of reports.
	const silence = book.ServerInterval + book.ServerInterval/10
	select {
	case interval := <-responses:
		t.Errorf("without a change, reports every %s were requested", interval)
	case <-time.After(silence):
	}
	c.apply(policy)
	select {
	case interval := <-responses:
		if len(clients) != 1 || interval != book.ServerInterval {
			t.Errorf("of %d streams, the one with a new server has the interval %s, want %s", len(clients), interval, book.ServerInterval)
		}
	case <-time.After(waitLimit):
		t.Error("the stream did not notice its new server")
	}
}
