package xds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

const trustDomain = "mesh.test"

// tokens authenticates by a table of tokens. Tests add to it while the server reads it.
type tokens struct{ peers sync.Map }

func (t *tokens) Authenticate(_ context.Context, token string) (Peer, error) {
	if peer, ok := t.peers.Load(token); ok {
		return peer.(Peer), nil
	}
	return Peer{}, errors.New("no such token")
}

// authority issues workload certificates during a test.
type authority struct {
	t   testing.TB
	pki *pki.Authority
}

func (a authority) Certificate(sa identity.ServiceAccount) (snapshot.Certificate, error) {
	chain, key := a.pki.Issue(a.t, sa, trustDomain)
	return snapshot.Certificate{ChainPEM: chain, KeyPEM: key, NotAfter: time.Now().Add(time.Hour).Truncate(time.Second), Generation: "g"}, nil
}

func (a authority) Root() []byte { return a.pki.RootPEM }

func (a authority) TrustDomains() identity.TrustDomains { return identity.OneTrustDomain(trustDomain) }

// control is a control plane in the process of the test.
type control struct {
	store   *snapshot.Store
	server  *Server
	tokens  *tokens
	metrics *prometheus.Registry
	loads   *loadstats.Store
	denials *denials.Store
	// later is the offset of the server's clock in nanoseconds.
	later   atomic.Int64
	address string
	tls     *tls.Config
	rootPEM []byte
	root    *pki.Authority
}

// start serves a mesh with the given entries until the test ends.
func start(t testing.TB, entries ...catalog.Entry) *control {
	t.Helper()
	return startOn(t, listen(t), entries...)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func startOn(t testing.TB, listener net.Listener, entries ...catalog.Entry) *control {
	t.Helper()
	return startWith(t, listener, controlOptions{}, entries...)
}

// controlOptions are the options of a control plane.
type controlOptions struct {
	compatibility compatibility.Entry
	settling      time.Duration
	age           time.Duration
	// bridge is for how long sidecars of Open Service Mesh are served; 0 does not serve them.
	bridge time.Duration
}

func startWith(t testing.TB, listener net.Listener, options controlOptions, entries ...catalog.Entry) *control {
	t.Helper()
	root := pki.New(t)
	c := &control{tokens: &tokens{}, metrics: prometheus.NewRegistry(), rootPEM: root.RootPEM, root: root}
	now := func() time.Time { return time.Now().Add(time.Duration(c.later.Load())) }
	c.store = snapshot.NewStore(snapshot.Config{
		Certificates: authority{t, root}, Log: logr.Discard(), Metrics: c.metrics, Now: now,
		StartupPeriod: options.settling,
	})
	ads := meshtest.SA("control", "ads")
	chain, key := root.Issue(t, ads, trustDomain)
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	c.loads, c.denials = loadstats.NewStore(now), denials.NewStore(now)
	var bridge *Bridge
	if options.bridge > 0 {
		bridge = &Bridge{Until: time.Now().Add(options.bridge), TrustDomain: trustDomain, Roots: func() []byte { return root.RootPEM }}
	}
	server, err := NewServer(Config{
		Bridge: bridge,
		Store:  c.store, Authenticator: c.tokens, Log: logr.Discard(), Metrics: c.metrics, Loads: c.loads, Denials: c.denials, Now: now, Compatibility: options.compatibility,
		ConnectionAge: options.age,
		TLS:           &tls.Config{Certificates: []tls.Certificate{pair}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.server = server
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root.RootPEM)
	c.tls = &tls.Config{RootCAs: pool, ServerName: ads.Principal(trustDomain)}
	c.address = listener.Addr().String()
	c.run(t, server, listener)
	c.apply(entries...)
	return c
}

func (c *control) run(t testing.TB, server *Server, listener net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- c.store.Run(ctx) }()
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func (c *control) apply(entries ...catalog.Entry) {
	changes := make([]catalog.Change, len(entries))
	for i, e := range entries {
		changes[i] = catalog.Set(e)
	}
	c.store.Apply(changes)
}

func (c *control) remove(e catalog.Entry) { c.store.Apply([]catalog.Change{{Ref: e.Ref()}}) }

// tokenOf registers a token for a pod and returns it.
func (c *control) tokenOf(pod *inventory.Instance) string {
	token := "token of " + string(pod.ID)
	c.tokens.peers.Store(token, peerOf(pod))
	return token
}

func peerOf(pod *inventory.Instance) Peer {
	return Peer{
		Pod: pod.Name, InstanceID: pod.ID, ServiceAccount: pod.Identity(), ServiceAccountUID: "uid-of-" + pod.ServiceAccount,
		Expiry: time.Now().Add(time.Hour),
	}
}

// proxy is a running fake sidecar.
type proxy struct {
	applied chan *discovery.DeltaDiscoveryResponse
	ended   chan error
	cancel  context.CancelFunc
	envoy   *fakexds.Envoy
}

func (c *control) connect(t testing.TB, token string, envoy *fakexds.Envoy) *proxy {
	return c.connectAs(t, token, envoy, nil)
}

// connectAs connects a sidecar with the given node metadata.
func (c *control) connectAs(t testing.TB, token string, envoy *fakexds.Envoy, node *core.Node) *proxy {
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxy{applied: make(chan *discovery.DeltaDiscoveryResponse, 1000), ended: make(chan error, 1), cancel: cancel, envoy: envoy}
	options := fakexds.Options{
		Address: c.address, TLS: c.tls, Token: token, NodeID: "uuid.sidecar.client.a." + trustDomain, Node: node,
		Applied: func(r *discovery.DeltaDiscoveryResponse) { p.applied <- r },
	}
	go func() { p.ended <- fakexds.Run(ctx, options, envoy) }()
	t.Cleanup(cancel)
	return p
}

// waitFor waits until a response with a resource of that type and name was applied.
func (p *proxy) waitFor(t testing.TB, typeURL, name string) {
	t.Helper()
	p.waitUntil(t, typeURL+" "+name, func(r *discovery.DeltaDiscoveryResponse) bool {
		return r.GetTypeUrl() == typeURL && slices.ContainsFunc(r.GetResources(), func(res *discovery.Resource) bool { return res.GetName() == name })
	})
}

// waitReady waits until the server confirms that it uses everything.
func (p *proxy) waitReady(t testing.TB) {
	t.Helper()
	p.waitUntil(t, "that it is ready", func(r *discovery.DeltaDiscoveryResponse) bool {
		return slices.Contains(r.GetRemovedResources(), names.UnreadyCluster)
	})
}

func (p *proxy) waitUntil(t testing.TB, what string, holds func(*discovery.DeltaDiscoveryResponse) bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case r := <-p.applied:
			if holds(r) {
				return
			}
		case err := <-p.ended:
			t.Fatalf("the stream ended while waiting for %s: %v", what, err)
		case <-timeout:
			t.Fatalf("%s did not arrive", what)
		}
	}
}

// waitEnd waits until the stream ends and returns its error.
func (p *proxy) waitEnd(t testing.TB) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the stream does not end")
		return nil
	}
}

// mesh returns a mesh in which the pod a/client may call the Service a/server.
type mesh struct {
	client, server *inventory.Instance
	service        *inventory.Service
}

func newMesh() mesh {
	return mesh{
		client:  meshtest.Pod("a", "client", "client", "client", "10.0.0.1"),
		server:  meshtest.Pod("a", "server", "server", "server", "10.0.0.2"),
		service: meshtest.Service("a", "server", "server", "10.96.0.1", 80, inventory.ProtocolHTTP),
	}
}

func (m mesh) entries() []catalog.Entry {
	return []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{},
		m.client, m.server, accountOf(m.client), accountOf(m.server),
		m.service, meshtest.Slice(m.service.Name, m.server), meshtest.Group("a", "routes", "/x"),
		meshtest.Target("t", m.server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, m.client.Identity()),
	}
}

func accountOf(pod *inventory.Instance) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: entity.Name(pod.Identity()), UID: "uid-of-" + pod.ServiceAccount}
}
