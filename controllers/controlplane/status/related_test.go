package status

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// growingCluster is the discovery of a cluster that gets more kinds.
type growingCluster struct {
	meta.RESTMapper
	mu      sync.Mutex
	defined []schema.GroupVersionKind
}

func (c *growingCluster) define(kind schema.GroupVersionKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.defined = append(c.defined, kind)
}

func (c *growingCluster) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.defined, kind.WithVersion(versions[0])) {
		return nil, errors.New("not found")
	}
	return &meta.RESTMapping{}, nil
}

// TestStartWatches defines kinds one after the other, after the start of the control plane. Each is watched once.
func TestStartWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &growingCluster{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var started []schema.GroupVersionKind
		ended := make(chan error, 1)
		go func() {
			ended <- startWatches(ctx, traffic.NewDefinitions(cluster, nil), relatedWatches(nil, policyKind{
				kind: kinds.Egress, related: []schema.GroupVersionKind{kinds.Egress}, named: []schema.GroupVersionKind{kinds.HTTPRouteGroup},
				extension: usingExtension("osm-system"),
			}), func(w relatedWatch) error {
				started = append(started, w.kind)
				return nil
			})
		}()
		await := func(want ...schema.GroupVersionKind) {
			t.Helper()
			time.Sleep(2 * traffic.LookupInterval)
			synctest.Wait()
			if !slices.Equal(started, want) {
				t.Errorf("watched: %v, want %v", started, want)
			}
		}
		await()
		cluster.define(kinds.HTTPRouteGroup)
		await(kinds.HTTPRouteGroup)
		cluster.define(kinds.ExtensionService)
		await(kinds.HTTPRouteGroup, kinds.ExtensionService)
		cluster.define(kinds.Egress)
		await(kinds.HTTPRouteGroup, kinds.ExtensionService, kinds.Egress)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestStartWatches_Ends(t *testing.T) {
	watches := []relatedWatch{{kind: kinds.Egress}}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := startWatches(stopped, traffic.NewDefinitions(&growingCluster{}, nil), watches, nil); err != nil {
		t.Errorf("error %v while the process stops, want none", err)
	}
	failure := errors.New("no such informer")
	cluster := &growingCluster{defined: []schema.GroupVersionKind{kinds.Egress}}
	if err := startWatches(t.Context(), traffic.NewDefinitions(cluster, nil), watches, func(relatedWatch) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want that of the watch", err)
	}
}
