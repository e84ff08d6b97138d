package controlplane

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/requests"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// xdsServer returns a function that serves xDS. It listens at once, so that a port conflict fails the start.
func (c *ControlPlane) xdsServer() (serve func(context.Context) error, err error) {
	own := certificate.NewRenamedServerCertificate(c.authority.manager, time.Now, c.authority.manager.ServerNames(names.ADSCommonName))
	server, err := xds.NewServer(xds.Config{
		Compatibility: compatibility.Current(),
		Store:         c.store,
		Authenticator: newAuthenticator(c.config, c.api.clients.Discovery().RESTClient()),
		TLS:           own.TLSConfig(),
		Log:           c.log.WithName("xds"),
		Metrics:       c.metrics.registry,
		Loads:         c.loads,
		Denials:       c.denials,
		Bridge:        c.bridge,
		Now:           time.Now,
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.config.Addresses.XDS)
	return func(ctx context.Context) error { return server.Serve(ctx, listener) }, err
}

// authenticator derives the identity of a sidecar from its verified token.
type authenticator struct{ verifier *token.Verifier }

func newAuthenticator(config Config, client rest.Interface) authenticator {
	server := token.NewAPIServer(client)
	return authenticator{token.NewVerifier(token.Config{
		Audience: names.TokenAudience(config.Mesh, config.Namespace), FetchIssuer: server.Issuer, FetchKeys: server.Keys,
		Review: server.Review, Check: server.Check, Now: time.Now,
	})}
}

// Authenticate verifies a token and returns the peer that it identifies.
func (a authenticator) Authenticate(ctx context.Context, raw string) (snapshot.Peer, error) {
	verified, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return snapshot.Peer{}, err
	}
	return snapshot.Peer{
		Pod:        entity.Name{Namespace: verified.Namespace, Name: verified.Pod},
		InstanceID: verified.InstanceID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.ValidUntil,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
		Extend:         func(ctx context.Context) time.Time { return a.verifier.Extend(ctx, verified.Expiry) },
	}, nil
}

const (
	// caInterval is how often the mounted CA Secret is checked. The kubelet takes about a minute to update it.
	caInterval = 10 * time.Second
	// requestTimeout is how long cert-manager may take to issue a certificate.
	requestTimeout = 30 * time.Second
	// sweepInterval is how often abandoned CertificateRequests are deleted.
	sweepInterval = 10 * time.Minute
)

// authority is the certificate authority of the mesh, with its root from the mounted Secret.
type authority struct {
	directory *certificate.Directory
	requester *requests.Requester
	manager   *certificate.Manager
}

// newRequester returns a requester of certificates of cert-manager. It sends nothing before its first request.
func newRequester(config Config, api *rest.Config) (*requests.Requester, error) {
	client, err := requests.NewClient(api)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{names.MeshLabel: config.Mesh, names.AppLabel: names.Controller}
	return requests.New(requests.Config{Client: client, Namespace: config.Namespace, Labels: labels, Timeout: requestTimeout, Now: time.Now}), nil
}

// run renews certificates and watches the Secret until ctx ends. It deletes abandoned CertificateRequests while workloads have certificates of
// cert-manager.
func (a *authority) run(ctx context.Context, log logr.Logger) error {
	failed := func(err error) { log.Error(err, "certificate renewal failed") }
	go a.requester.SweepEvery(ctx, sweepInterval, a.manager.UsesExternalIssuer, failed)
	go a.directory.Watch(ctx, caInterval, a.manager.SetRoot, failed)
	a.manager.Run(ctx, failed)
	return nil
}

const (
	// initialLifetime is OSM's default lifetime of workload certificates, used until the MeshConfig is read.
	initialLifetime = 24 * time.Hour
	// quarantineDelay leaves time for the operator to roll back a new version whose configuration sidecars reject.
	quarantineDelay = time.Minute
)

// newStore returns the store of what sidecars get and the manager of their certificates. The two call each other: the store requests
// certificates, and the manager notifies the store of changed ones.
func newStore(
	config Config, root *certificate.Root, requester certificate.Requester, log *logging.Logger, registry *prometheus.Registry, traces *changetrace.Exporter,
) (*certificate.Manager, *snapshot.Store) {
	var store *snapshot.Store
	manager := certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: config.TrustDomain, Key: config.Key, Lifetime: initialLifetime,
		Now: time.Now, Jitter: rand.Float64, Metrics: certificate.NewMetrics(registry), Requester: requester,
		Rotated:     func(sa identity.ServiceAccount) { store.CertificateRotated(sa) },
		RootChanged: func() { store.RootChanged() },
	})
	registry.MustRegister(certificate.NewExpiryCollector(manager))
	store = snapshot.NewStore(snapshot.Config{
		Certificates: manager,
		Log:          log.WithName("store"), Metrics: registry, Now: time.Now, StartupPeriod: quarantineDelay, Jitter: rand.Float64,
		Traces: traces,
	})
	return manager, store
}

// parseBridgeUntil parses a time; the zero time if it is empty.
func parseBridgeUntil(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--bridge-until is %q: write a time such as 2026-12-01T06:00:00Z: %w", text, err)
	}
	return until, nil
}

// newBridge returns the bridge for sidecars of Open Service Mesh, and registers its metrics; nil without a time.
func newBridge(config Config, until time.Time, certificates *certificate.Manager, store *snapshot.Store, registry prometheus.Registerer) *xds.Bridge {
	if until.IsZero() {
		return nil
	}
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "osm_bridge_proxy_connect_count", Help: "Connected sidecars of Open Service Mesh.",
		}, func() float64 { return float64(store.CountOSMProxies()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "osm_bridge_remaining_seconds", Help: "Time until sidecars of Open Service Mesh are not served any more.",
		}, func() float64 { return max(0, time.Until(until).Seconds()) }),
	)
	return &xds.Bridge{Until: until, TrustDomain: config.TrustDomain, Roots: certificates.Root}
}
