package verdict

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
)

// switchLoad sends requests until it ends.
type switchLoad struct {
	ended   atomic.Bool
	count   atomic.Int64
	clients sync.WaitGroup

	mu       sync.Mutex
	failures []string
}

// start sends requests from each pod on new and on kept connections, and bytes on one session.
func (l *switchLoad) start(t *testing.T, n *Network, ports []legacyosm.Port) {
	t.Helper()
	for from := range n.pods {
		for _, keeps := range []bool{false, true} {
			client := &http.Client{Timeout: responseTimeout, Transport: &http.Transport{DialContext: n.pods[from].NS.Dial, DisableKeepAlives: !keeps}}
			next := 0
			l.repeat(func() string {
				next++
				return n.tryPort(from, client, ports[next%len(ports)])
			})
		}
		session := n.openSession(t, from, netip.AddrPortFrom(ports[len(ports)-1].Address, sessionPort))
		l.repeat(func() string {
			if !session.isOpen() {
				return fmt.Sprintf("the session of %s ended", pods[from].name)
			}
			return ""
		})
	}
}

func (l *switchLoad) repeat(try func() string) {
	l.clients.Go(func() {
		for began := time.Now(); !l.ended.Load(); time.Sleep(interval) {
			l.count.Add(1)
			if failure := try(); failure != "" {
				l.mu.Lock()
				l.failures = append(l.failures, fmt.Sprintf("%s after %s", failure, time.Since(began).Round(time.Millisecond)))
				l.mu.Unlock()
			}
		}
	})
}

func (l *switchLoad) end() {
	l.ended.Store(true)
	l.clients.Wait()
}
