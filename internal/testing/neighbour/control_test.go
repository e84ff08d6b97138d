package neighbour

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const trustDomain = "mesh.test"

// control is a control plane that can restart. Its certificate authority stays.
type control struct {
	manager *certificate.Manager
	rootPEM []byte
	// listen returns a listener on the address of the control plane.
	listen func() net.Listener

	mu      sync.Mutex
	peers   map[string]xds.Peer
	store   *snapshot.Store
	entries map[entity.Ref]catalog.Entry
	stop    func()
}

// Authenticate implements xds.Authenticator.
func (c *control) Authenticate(_ context.Context, token string) (xds.Peer, error) {
	c.mu.Lock()
	peer, known := c.peers[token]
	c.mu.Unlock()
	if known {
		peer.Expiry = time.Now().Add(time.Hour)
		return peer, nil
	}
	return xds.Peer{}, errors.New("no such token")
}

// admit lets a pod authenticate with a token, and returns how many can.
func (c *control) admit(token string, peer xds.Peer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers[token] = peer
	return len(c.peers)
}

func newControl(t *testing.T, listen func() net.Listener) *control {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &control{rootPEM: root.CertPEM(), peers: map[string]xds.Peer{}, listen: listen, entries: map[entity.Ref]catalog.Entry{}}
	c.manager = certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: trustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) { c.current().CertificateRotated(sa) }, RootChanged: func() { c.current().RootChanged() },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.manager.Run(ctx, func(err error) { t.Error(err) })
	}()
	c.start(t)
	t.Cleanup(func() {
		c.stop()
		cancel()
		<-done
	})
	return c
}

func (c *control) current() *snapshot.Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store
}

// restart replaces the control plane by one that reads the mesh again.
func (c *control) restart(t *testing.T) {
	t.Helper()
	c.stop()
	c.start(t)
}

func (c *control) start(t *testing.T) {
	t.Helper()
	metrics := prometheus.NewRegistry()
	store := snapshot.NewStore(snapshot.Config{Certificates: c.manager, Log: logr.Discard(), Metrics: metrics, Now: time.Now})
	server, err := xds.NewServer(xds.Config{
		Store: store, Authenticator: c, Log: logr.Discard(), Metrics: metrics, Loads: loadstats.NewStore(time.Now), Denials: denials.NewStore(time.Now),
		Compatibility: compatibility.Current(),
		TLS:           certificate.NewServerCertificate(c.manager, time.Now, names.ADSCommonName(trustDomain)).TLSConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.store = store
	c.mu.Unlock()
	listener := c.listen()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- store.Run(ctx) }()
	go func() { done <- server.Serve(ctx, listener) }()
	c.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) { // the last listener may be closed first
				t.Error(err)
			}
		}
	}
	c.apply(changes(nil, c.entries))
	store.MarkSynced()
}

// set replaces the mesh.
func (c *control) set(entries map[entity.Ref]catalog.Entry) {
	list := changes(c.entries, entries)
	c.entries = maps.Clone(entries)
	c.apply(list)
}

// apply applies changes and returns when the store has processed them.
func (c *control) apply(list []catalog.Change) {
	store := c.current()
	store.Apply(list)
	_ = store.View(context.Background(), func(*catalog.View) {})
}

// changes returns the changes from one mesh to another one.
func changes(before, after map[entity.Ref]catalog.Entry) []catalog.Change {
	var list []catalog.Change
	for ref := range before {
		if after[ref] == nil {
			list = append(list, catalog.Change{Ref: ref})
		}
	}
	for ref, entry := range after {
		if !reflect.DeepEqual(before[ref], entry) {
			list = append(list, catalog.Set(entry))
		}
	}
	return list
}
