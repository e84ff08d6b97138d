package flood

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestFloodStaysWithinItsLimits counts the connections of each address at a server that closes none, and then one that closes all.
func TestFloodStaysWithinItsLimits(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	var mu sync.Mutex
	open := map[string][]net.Conn{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			from, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			mu.Lock()
			open[from] = append(open[from], conn)
			mu.Unlock()
		}
	}()
	f := Start(listener.Addr().String(), nil, Silent, Limits{Addresses: 3, PerAddress: 4, PerSecond: 500})
	defer f.Stop()
	eventually.True(t, 10*time.Second, "all connections are open", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(open["127.2.0.1"]) == 4 && len(open["127.2.0.2"]) == 4 && len(open["127.2.0.3"]) == 4
	})
	if f.Opened() != 12 || f.Closed() != 0 {
		t.Errorf("%d connections were opened and %d closed, want 12 and none", f.Opened(), f.Closed())
	}
	mu.Lock()
	for _, conn := range open["127.2.0.2"] {
		_ = conn.Close()
	}
	mu.Unlock()
	eventually.True(t, 10*time.Second, "closed connections are opened again", func() bool { return f.Closed() == 4 && f.Opened() == 16 })
}
