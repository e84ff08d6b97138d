package apioutage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

const (
	trustDomain = "mesh.test"
	serverName  = "ads." + trustDomain
)

// plane is the control plane behind the feed, assembled like the controller.
type plane struct {
	store    *snapshot.Store
	registry *prometheus.Registry
	address  string
	tls      *tls.Config
	// late is the offset of the clock.
	late atomic.Int64
}

func (p *plane) now() time.Time { return time.Now().Add(time.Duration(p.late.Load())) }

// tokens verifies tokens like the controller.
type tokens struct{ *token.Verifier }

func (v tokens) Authenticate(ctx context.Context, raw string) (xds.Peer, error) {
	verified, err := v.Verify(ctx, raw)
	return xds.Peer{
		Extend:     func(ctx context.Context) time.Time { return v.Extend(ctx, verified.Expiry) },
		Pod:        entity.Name{Namespace: verified.Namespace, Name: verified.Pod},
		InstanceID: verified.InstanceID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.ValidUntil,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
	}, err
}

// start starts the control plane of a permissive mesh, and waits until it has read the mesh.
func start(t *testing.T, config *rest.Config) *plane {
	t.Helper()
	log.SetLogger(logr.Discard())
	p := &plane{registry: prometheus.NewRegistry()}
	ages := feed.NewWatchAges(p.now)
	p.registry.MustRegister(ages)
	config = rest.CopyConfig(config)
	config.Wrap(ages.Wrap)
	p.serve(t, config)
	p.feed(t, config)
	return p
}

// serve runs the store and the xDS server until the test ends.
func (p *plane) serve(t *testing.T, config *rest.Config) {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issuer := certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: trustDomain, Lifetime: 24 * time.Hour, Now: p.now, Jitter: rand.Float64,
	})
	clients, err := rest.UnversionedRESTClientFor(unversioned(config))
	if err != nil {
		t.Fatal(err)
	}
	api := token.NewAPIServer(clients)
	p.store = snapshot.NewStore(snapshot.Config{
		Certificates: issuer, Log: logr.Discard(), Metrics: p.registry, Now: p.now,
	})
	server, err := xds.NewServer(xds.Config{
		Store: p.store, Log: logr.Discard(), Metrics: p.registry,
		TLS: certificate.NewServerCertificate(issuer, p.now, serverName).TLSConfig(),
		Authenticator: tokens{token.NewVerifier(token.Config{
			Audience: audience, FetchIssuer: api.Issuer, FetchKeys: api.Keys, Review: api.Review, Check: api.Check, Now: p.now,
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root.CertPEM())
	p.address, p.tls = listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS13}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() { _ = p.store.Run(ctx) }()
	go func() { _ = server.Serve(ctx, listener) }()
}

// unversioned returns a configuration for requests with complete paths.
func unversioned(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	return c
}

// feed watches the API server and feeds the store.
func (p *plane) feed(t *testing.T, config *rest.Config) {
	t.Helper()
	objects, err := cache.New(config, cache.Options{Scheme: clientgoscheme.Scheme, ByObject: kinds.CacheOptions(), NewInformer: backoff.NewInformer})
	if err != nil {
		t.Fatal(err)
	}
	live, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = objects.Start(t.Context()) }()
	f := feed.New(feed.Config{Cache: objects, Live: live, Scheme: clientgoscheme.Scheme, Sink: p.store, Log: logr.Discard(), Now: p.now})
	var synced []toolscache.InformerSynced
	for _, source := range kinds.Workloads(meshName) {
		one, err := f.Watch(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		synced = append(synced, one)
	}
	if !toolscache.WaitForCacheSync(t.Context().Done(), synced...) {
		t.Fatal("the first lists were not delivered")
	}
	p.store.Apply([]catalog.Change{catalog.Set(&catalog.Settings{Permissive: true})})
	p.store.MarkSynced()
}

// ages returns the watch age in seconds by resource.
func (p *plane) ages(t *testing.T) map[string]float64 {
	t.Helper()
	return p.values(t, "osm_watch_age_seconds")
}

// requests returns the number of requests received from sidecars.
func (p *plane) requests(t *testing.T) float64 {
	t.Helper()
	sum := 0.0
	for _, n := range p.values(t, "osm_proxy_xds_request_count") {
		sum += n
	}
	return sum
}

// values returns the values of a metric by its first label.
func (p *plane) values(t *testing.T, name string) map[string]float64 {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			values[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return values
}
