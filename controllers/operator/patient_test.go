package operator_test

import (
	"context"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// patient is a control plane that tests make well or ill. Every sidecar is connected.
type patient struct {
	mu       sync.Mutex
	readings map[string]vitals.Reading
}

// becomes says how the control plane in a namespace, in one version, does from now on.
func (p *patient) becomes(namespace, version string, reading vitals.Reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readings[namespace+" "+version] = reading
}

// Read implements mesh.Vitals. What no test speaks of is well.
func (p *patient) Read(_ context.Context, s vitals.Subject) (vitals.Reading, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reading, ill := p.readings[s.Namespace+" "+s.Version]; ill {
		return reading, nil
	}
	return healthy(), nil
}

// healthy is a reading that passes all gates.
func healthy() vitals.Reading {
	until := time.Now().Add(time.Hour)
	return vitals.Reading{Proxies: &vitals.Proxies{Connected: 1000}, CertificatesUntil: &until, Requests: &rollout.Requests{Issued: 100}}
}
