package snapshot

import (
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Config configures a Store. All fields except StartupPeriod, Jitter and Traces are required.
type Config struct {
	Certificates CertificateSource
	Log          logr.Logger
	Metrics      prometheus.Registerer
	// Now returns the current time.
	Now func() time.Time
	// StartupPeriod is for how long after MarkSynced existing policies are not quarantined. Right after a start, the control plane
	// itself is the more likely cause of a NACK, and each trial removes permissions. The default is 0.
	StartupPeriod time.Duration
	// Jitter returns random numbers in [0, 1) that spread attempts to get certificates. It is optional.
	Jitter func() float64
	// Traces receives the traces of changes. It is optional.
	Traces status.Exporter
}

// CertificateSource issues and renews workload certificates. It is safe for concurrent use.
type CertificateSource interface {
	// Certificate returns the current certificate of a workload and issues it if there is none. It may generate a key.
	Certificate(sa identity.ServiceAccount) (Certificate, error)
	// Root returns the trust bundle for mTLS between workloads, in PEM.
	Root() []byte
	// TrustDomains returns the trust domains of the mesh.
	TrustDomains() identity.TrustDomains
}

// Certificate is a workload certificate.
type Certificate struct {
	ChainPEM []byte
	KeyPEM   []byte
	NotAfter time.Time
	// Generation changes with the root that issued the certificate, and is equal in all replicas.
	Generation string
	// TrustDomain is the trust domain of the workload in the certificate.
	TrustDomain string
}
