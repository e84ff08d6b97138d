package operator_test

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fakeHealth returns the observations that tests set for control planes. Every sidecar is connected.
type fakeHealth struct {
	mu       sync.Mutex
	readings map[string]health.Observation
	// lagging are sidecars, by namespace of the control plane, that have acknowledged nothing since.
	lagging map[string]string
}

// lag names a sidecar of a control plane that acknowledges nothing. An empty name ends that.
func (p *fakeHealth) lag(namespace, proxy string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lagging[namespace] = proxy
}

// Replicas returns one replica that uses the active certificate authority, with sidecars that have all it serves.
func (p *fakeHealth) Replicas(ctx context.Context, s health.Target) ([]rotation.Replica, error) {
	secret := &corev1.Secret{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.ActiveCASecret}, secret); err != nil {
		return nil, err
	}
	active, err := certificate.Decode(secret.Data)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	replica := rotation.Replica{
		Name: "osm-controller-0", Issuer: active.Generation(), Trusted: active.Anchors(), Since: time.Now().Add(-time.Hour),
		Proxies: []rotation.Proxy{{Name: "shop/web", UsesCertificates: true, Synced: true, Issuer: active.Generation()}},
	}
	if name := p.lagging[s.Namespace]; name != "" {
		replica.Proxies = append(replica.Proxies, rotation.Proxy{Name: name, UsesCertificates: true})
	}
	return []rotation.Replica{replica}, nil
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
	return health.Observation{Proxies: &health.Proxies{Connected: 1000}, CertificatesUntil: map[string]time.Time{"shop": until}, Flows: []rollout.Flow{{Requests: rollout.Requests{Issued: 100}}}}
}
