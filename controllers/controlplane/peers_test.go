package controlplane

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// newTestPeers returns the peers of a mesh. opened has the epochs of its exchanges, and listening counts its listeners.
func newTestPeers(t *testing.T, storage peering.Storage) (p *peers, opened chan string, listening *atomic.Int32) {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	manager := certificate.NewManager(certificate.Options{Root: root, TrustDomain: "west.example", Lifetime: time.Hour, Now: time.Now})
	m := mirror.New()
	opened, listening = make(chan string, 4), &atomic.Int32{}
	p = &peers{
		mirror: m, log: logr.Discard(), changed: make(chan struct{}, 1), acquired: make(chan struct{}, 1), loaded: make(chan struct{}),
		retain: func(context.Context, []string) error { return nil },
		epoch:  func(context.Context) (string, error) { return "uid", nil },
		listen: func() (net.Listener, error) {
			listening.Add(1)
			return net.Listen("tcp", "127.0.0.1:0")
		},
		open: func(epoch string) *peering.Peering {
			opened <- epoch
			return peering.New(peering.Config{
				Certificates: certificate.NewControlPlaneCertificates(manager, time.Now).Get, Domains: manager.TrustDomains, Bundle: manager.Root,
				Authority: manager.Generation, Version: "v0.6.0", Epoch: epoch, Address: "127.0.0.1:1", Mirror: m, Storage: storage,
				Apply: m.Apply, Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: time.Now, Jitter: func() float64 { return 0 },
			})
		},
	}
	return p, opened, listening
}

func declared(t *testing.T) *catalog.Peer {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Peer{Name: "east", TrustDomain: "east.example", RootsPEM: root.CertPEM()}
}

// TestPeersStartWithTheFirst adds and removes a MeshPeer while the control plane runs. Before, nothing listens.
func TestPeersStartWithTheFirst(t *testing.T) {
	storage := &peerStorage{client: fake.NewClientset().CoreV1().ConfigMaps("osm-system"), mesh: "osm", leading: func() bool { return true }}
	p, opened, listening := newTestPeers(t, storage)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runAll(ctx, p.mirror.Run, p.run) }()
	p.load(ctx)
	if len(opened) > 0 || listening.Load() > 0 {
		t.Error("a mesh without peers listens")
	}
	p.mirror.Apply([]catalog.Change{catalog.Set(declared(t))})
	eventually.True(t, time.Minute, "it listens", func() bool { return listening.Load() == 1 })
	if epoch := <-opened; epoch != "uid" {
		t.Errorf("the epoch is %q", epoch)
	}
	if states := p.current().States(); len(states) != 1 || states[0].Peer != "east" {
		t.Errorf("peers %+v", states)
	}
	p.mirror.Apply([]catalog.Change{{Ref: entity.KindMeshPeer.Ref(entity.Name{Name: "east"})}})
	eventually.True(t, time.Minute, "the peer is removed", func() bool { return len(p.current().States()) == 0 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestPeersAreLoadedBeforeTheStart has a MeshPeer from the beginning, and an epoch that is known later.
func TestPeersAreLoadedBeforeTheStart(t *testing.T) {
	p, opened, listening := newTestPeers(t, &peerStorage{client: fake.NewClientset().CoreV1().ConfigMaps("osm-system"), leading: func() bool { return false }})
	var failed atomic.Bool
	p.epoch = func(context.Context) (string, error) {
		if failed.Swap(true) {
			return "uid", nil
		}
		return "", errors.New("the API server does not answer")
	}
	p.mirror.Apply([]catalog.Change{catalog.Set(declared(t))})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runAll(ctx, p.mirror.Run, p.run) }()
	p.load(ctx)
	<-opened
	eventually.True(t, time.Minute, "it listens", func() bool { return listening.Load() == 1 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPeerStorage(t *testing.T) {
	clients, leading := fake.NewClientset(), false
	s := &peerStorage{client: clients.CoreV1().ConfigMaps("osm-system"), mesh: "osm", leading: func() bool { return leading }}
	if err := s.Save(t.Context(), "east", []byte("1")); !errors.Is(err, peering.ErrOtherReplica) {
		t.Errorf("saved without the Lease: %v", err)
	}
	leading = true
	for _, data := range []string{"", "1", "2"} {
		if err := s.Save(t.Context(), "east", []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Load(t.Context(), "east"); err != nil || string(got) != data {
			t.Errorf("loaded %q, want %q; error %v", got, data, err)
		}
	}
	if err := s.Save(t.Context(), "east", make([]byte, maxPeerState+1)); err == nil {
		t.Error("a state that no object can have was saved")
	}
	if err := s.Save(t.Context(), "east", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), "east"); err != nil || got != nil {
		t.Errorf("loaded %q after the removal, error %v", got, err)
	}
}

// TestStoredStatesOfRemovedPeersGo has the states of a peer that exists and of one that was removed while nothing ran, and other ConfigMaps. They are read when
// this replica begins to write the storage.
func TestStoredStatesOfRemovedPeersGo(t *testing.T) {
	clients := fake.NewClientset().CoreV1().ConfigMaps("osm-system")
	storage := &peerStorage{client: clients, mesh: "osm", leading: func() bool { return true }}
	for _, peer := range []string{"east", "gone"} {
		if err := storage.Save(t.Context(), peer, []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	for name, labels := range map[string]map[string]string{"osm-peer-state-other": {names.MeshLabel: "other"}, "osm-config": storage.labels()} {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if _, err := clients.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	p, _, _ := newTestPeers(t, storage)
	p.retain = storage.retain
	p.mirror.Apply([]catalog.Change{catalog.Set(declared(t))})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runAll(ctx, p.mirror.Run, p.run) }()
	signal(p.acquired)
	p.load(ctx)
	eventually.True(t, time.Minute, "only the state of the removed peer is deleted", func() bool {
		list, err := clients.List(t.Context(), metav1.ListOptions{})
		kept := lists.Map(list.Items, func(object corev1.ConfigMap) string { return object.Name })
		slices.Sort(kept)
		return err == nil && slices.Equal(kept, []string{"osm-config", "osm-peer-state-east", "osm-peer-state-other"})
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNamespaceUID(t *testing.T) {
	clients := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system", UID: "1"}})
	if uid, err := namespaceUID(t.Context(), clients, "osm-system"); err != nil || uid != "1" {
		t.Errorf("got %q, error %v", uid, err)
	}
}
