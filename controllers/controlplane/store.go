package controlplane

import (
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

const (
	// initialLifetime is OSM's default lifetime of workload certificates, used until the MeshConfig is read.
	initialLifetime = 24 * time.Hour
	// quarantineDelay leaves time for the operator to roll back a new version whose configuration sidecars reject.
	quarantineDelay = time.Minute
)

// certificateSource adapts a Manager to snapshot.CertificateSource.
type certificateSource struct{ *certificate.Manager }

// Certificate implements snapshot.CertificateSource.
func (s certificateSource) Certificate(sa identity.ServiceAccount) (snapshot.Certificate, error) {
	leaf, err := s.Manager.Certificate(sa)
	return snapshot.Certificate(leaf), err
}

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
		Certificates: certificateSource{manager},
		Log:          log.WithName("store"), Metrics: registry, Now: time.Now, StartupPeriod: quarantineDelay, Jitter: rand.Float64,
		Traces: traces,
	})
	return manager, store
}
