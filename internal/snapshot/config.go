package snapshot

import (
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Store needs. All fields are required but Settling.
type Config struct {
	// TrustDomain is the suffix of every workload principal.
	TrustDomain  string
	Certificates CertificateSource
	Log          logr.Logger
	Metrics      prometheus.Registerer
	// Now is the clock.
	Now func() time.Time
	// Settling is for how long after MarkSynced policies that existed then are not withheld: what sidecars reject just after the
	// start of a control plane is more likely its own fault, and to try by which policy it comes takes permissions away. The default is
	// not to wait.
	Settling time.Duration
}
