package snapshot

import (
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Store needs. All fields are required.
type Config struct {
	// TrustDomain is the suffix of every workload principal.
	TrustDomain  string
	Certificates CertificateSource
	Log          logr.Logger
	Metrics      prometheus.Registerer
	// Now is the clock.
	Now func() time.Time
}
