package apioutage

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// sidecar is a fake sidecar that records its responses.
type sidecar struct {
	envoy *fakexds.Envoy
	leave context.CancelFunc
	ended chan struct{}

	mu sync.Mutex
	// sent are the resources of all responses, "<type> <name>", with "-" before removed ones.
	sent []string
	err  error
}

// connect connects a sidecar with the resources of an earlier connection.
func (p *plane) connect(t *testing.T, token string, envoy *fakexds.Envoy) *sidecar {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	s := &sidecar{envoy: envoy, leave: leave, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		err := fakexds.Run(ctx, fakexds.Options{Address: p.address, TLS: p.tls, Token: token, Applied: s.applied}, envoy)
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}()
	t.Cleanup(s.disconnect)
	return s
}

func (s *sidecar) applied(r *discovery.DeltaDiscoveryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, res := range r.GetResources() {
		s.sent = append(s.sent, r.GetTypeUrl()+" "+res.GetName())
	}
	for _, name := range r.GetRemovedResources() {
		s.sent = append(s.sent, "-"+r.GetTypeUrl()+" "+name)
	}
}

// disconnect closes the connection and waits until it has ended.
func (s *sidecar) disconnect() {
	s.leave()
	<-s.ended
}

// wasSent reports whether a resource has been received.
func (s *sidecar) wasSent(typeURL, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.sent, typeURL+" "+name)
}

// everything returns all resources received since the last call.
func (s *sidecar) everything() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// failure returns why the connection failed; it is empty while the connection is open.
func (s *sidecar) failure() string {
	select {
	case <-s.ended:
		return fmt.Sprint(s.err)
	default:
		return ""
	}
}
