package snapshot

import (
	"slices"
	"strings"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
)

// DecisionServers returns the authorization servers and rate limit services of the proxy, sorted by cluster. The caller must not change the list.
func (s *Stream) DecisionServers() []loadstats.Server { return s.scope.Load().decisionServers() }

// DecisionServersChanged returns a channel that is closed when those of a connected proxy change.
func (s *Store) DecisionServersChanged() <-chan struct{} { return s.serversChanged.wait() }

func (n *scopeNode) decisionServers() []loadstats.Server {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.servers
}

// updateServers replaces the list of servers if changes concern them, and reports whether they do. The caller holds the write lock.
func (n *scopeNode) updateServers(changes *delta.Changes) bool {
	if !slices.ContainsFunc(changes[resourcetype.Clusters], envoy.IsDecisionServer) {
		return false
	}
	n.servers = nil
	for name := range n.own.contents[resourcetype.Clusters] {
		if envoy.IsDecisionServer(name) {
			n.servers = append(n.servers, n.decisionServer(name))
		}
	}
	slices.SortFunc(n.servers, func(a, b loadstats.Server) int { return strings.Compare(a.Cluster, b.Cluster) })
	return true
}

func (n *scopeNode) decisionServer(cluster string) loadstats.Server {
	server := loadstats.Server{Cluster: cluster}
	switch cluster {
	case extauthz.Cluster(true):
		server.Policy = n.key.MeshAuthorization
	case extauthz.Cluster(false):
		server.Policy = n.key.Authorization
	}
	return server
}

// broadcast wakes everybody who waits. Its zero value is ready.
type broadcast struct {
	mu      sync.Mutex
	waiting chan struct{}
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = make(chan struct{})
	}
	return b.waiting
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting != nil {
		close(b.waiting)
		b.waiting = nil
	}
}
