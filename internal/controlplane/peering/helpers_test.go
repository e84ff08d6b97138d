package peering

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const (
	waitLimit  = 20 * time.Second
	eastDomain = "east.example"
	westDomain = "west.example"
)

// memoryStorage is a Storage in memory.
type memoryStorage struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (s *memoryStorage) Load(_ context.Context, peer string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[peer], nil
}

func (s *memoryStorage) Save(_ context.Context, peer string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.data, peer)
	if len(data) > 0 {
		s.data[peer] = data
	}
	return nil
}

// testMesh is a mesh with one replica of its control plane.
type testMesh struct {
	domain       string
	root         *certificate.Root
	manager      *certificate.Manager
	certificates *certificate.ControlPlaneCertificates
	mirror       *mirror.Mirror
	storage      *memoryStorage
	version      string
	epoch        string
	timing       timing
	peering      *Peering
	listener     net.Listener
	stop         context.CancelFunc

	mu sync.Mutex
	// services are the Services of peers that were applied, and changes how many changes there were.
	services map[entity.Ref]*catalog.PeerService
	changes  int
}

// newMesh returns a mesh that does not run.
func newMesh(t testing.TB, domain string) *testMesh {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	manager := certificate.NewManager(certificate.Options{Root: root, TrustDomain: domain, Lifetime: time.Hour, Now: time.Now, Jitter: func() float64 { return 0.5 }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &testMesh{
		domain: domain, root: root, manager: manager, certificates: certificate.NewControlPlaneCertificates(manager, time.Now), mirror: mirror.New(), epoch: "1", version: "v0.6.0",
		storage: &memoryStorage{data: map[string][]byte{}}, listener: listener, services: map[entity.Ref]*catalog.PeerService{},
	}
}

// config returns the configuration of a Peering whose connections go to an address.
func (m *testMesh) config(address string) Config {
	return Config{
		Certificates: m.certificates.Get, Domains: m.manager.TrustDomains, Bundle: m.manager.Root, Authority: m.manager.Generation, Version: m.version,
		Epoch: m.epoch, Address: address, Mirror: m.mirror, Storage: m.storage, Apply: m.apply, Log: logr.Discard(), Metrics: prometheus.NewRegistry(),
		Now: time.Now, Jitter: func() float64 { return 0 }, timing: m.timing,
	}
}

func (m *testMesh) apply(changes []catalog.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, change := range changes {
		m.changes++
		delete(m.services, change.Ref)
		if service, ok := change.Entry.(*catalog.PeerService); ok {
			m.services[change.Ref] = service
		}
	}
}

// service returns an imported Service of namespace shop, or nil.
func (m *testMesh) service(peer, name string) *catalog.PeerService {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.services[(&catalog.PeerService{Peer: peer, Name: meshtest.Name("shop", name)}).Ref()]
}

func (m *testMesh) counts() (services, changes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.services), m.changes
}

// start runs the mesh with peers until stop, or the end of the test.
func (m *testMesh) start(t testing.TB, address string, peers ...Peer) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	m.peering = New(m.config(address))
	m.peering.SetPeers(ctx, peers)
	var running sync.WaitGroup
	running.Go(func() { _ = m.mirror.Run(ctx) })
	listener := m.listener
	running.Go(func() {
		if err := m.peering.Run(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	m.stop = sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
	t.Cleanup(m.stop)
}

// restart stops the mesh, and starts it again at the same address.
func (m *testMesh) restart(t *testing.T, address string, peers ...Peer) {
	t.Helper()
	m.stop()
	var err error
	if m.listener, err = net.Listen("tcp", m.address()); err != nil {
		t.Fatal(err)
	}
	m.start(t, address, peers...)
}

func (m *testMesh) address() string { return m.listener.Addr().String() }

// peer is the mesh as another one declares it.
func (m *testMesh) peer(name string) Peer {
	return Peer{Name: name, TrustDomain: m.domain, RootsPEM: m.manager.Root()}
}

// set changes entries of the mesh.
func (m *testMesh) set(entries ...catalog.Entry) {
	var changes []catalog.Change
	for _, entry := range entries {
		changes = append(changes, catalog.Set(entry))
	}
	m.mirror.Apply(changes)
}

// export exports a Service of namespace shop to a peer, whose web/client may call it.
func (m *testMesh) export(name, peer string) {
	pod := meshtest.Pod("shop", name, name, name, "10.0.0.1")
	target := meshtest.Target(name, meshtest.SA("shop", name), []catalog.TargetRule{meshtest.TCP("any")})
	target.Name = meshtest.Name("shop", name)
	target.PeerSources = []identity.PeerAccount{{Peer: peer, Namespace: "web", Name: "client"}}
	m.set(
		&catalog.Namespace{Name: "shop", Monitored: true}, pod, meshtest.Service("shop", name, name, "10.96.0.1", 80, inventory.ProtocolTCP),
		meshtest.Slice(meshtest.Name("shop", name), pod), target, &catalog.TCPRoute{Name: meshtest.Name("shop", "any")},
		&catalog.ServiceExport{Name: meshtest.Name("shop", name), Peer: peer},
	)
}

// withdraw deletes a ServiceExport.
func (m *testMesh) withdraw(name string) {
	m.mirror.Apply([]catalog.Change{{Ref: entity.KindServiceExport.Ref(meshtest.Name("shop", name))}})
}

// state returns the state of the only peer.
func (m *testMesh) state() State { return m.peering.States()[0] }

// newPair returns two running meshes, which know each other as east and west. East exports shop/cart.
func newPair(t *testing.T) (east, west *testMesh) {
	t.Helper()
	east, west = newMesh(t, eastDomain), newMesh(t, westDomain)
	east.export("cart", "west")
	east.start(t, west.address(), west.peer("west"))
	west.start(t, east.address(), east.peer("east"))
	waitFor(t, west, "cart")
	return east, west
}

func waitFor(t testing.TB, m *testMesh, name string) {
	t.Helper()
	eventually.True(t, waitLimit, fmt.Sprintf("%s is imported, state %+v", name, m.state()), func() bool { return m.service("east", name) != nil })
}

type entityRef = entity.Ref

// issuingWith returns a root that issues with the key of one, and trusts both.
func issuingWith(t *testing.T, issuing, other *certificate.Root) *certificate.Root {
	t.Helper()
	key, err := issuing.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	root, err := certificate.ParseRoot(slices.Concat(issuing.CertPEM(), other.CertPEM()), key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}
