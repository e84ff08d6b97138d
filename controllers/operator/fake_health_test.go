package operator_test

import (
	"context"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/controllers/operator/health"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// fakeHealth returns the observations that tests set for control planes. Every sidecar is connected.
type fakeHealth struct {
	mu       sync.Mutex
	readings map[string]health.Observation
}

// set sets the observation of the control plane of a version in a namespace.
func (p *fakeHealth) set(namespace, version string, reading health.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readings[namespace+" "+version] = reading
}

// Read returns the observation that a test has set. The default is a healthy control plane.
func (p *fakeHealth) Read(_ context.Context, s health.Target) (health.Observation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reading, ok := p.readings[s.Namespace+" "+s.Version]; ok {
		return reading, nil
	}
	return healthy(), nil
}

// healthy returns an observation that passes all gates.
func healthy() health.Observation {
	until := time.Now().Add(time.Hour)
	return health.Observation{Proxies: &health.Proxies{Connected: 1000}, CertificatesUntil: &until, Requests: &rollout.Requests{Issued: 100}}
}
