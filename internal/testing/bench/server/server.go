package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// ServerName is the DNS name in the certificate of the control plane.
const ServerName = "ads." + mesh.TrustDomain

// RenewedLifetime is the lifetime of certificates after Renew.
const RenewedLifetime = 5 * time.Minute

// Setup has the keys of a mesh.
type Setup struct {
	// RootCert and RootKey are the authority of the mesh in PEM. They stay the same across restarts.
	RootCert, RootKey []byte
	// Keys is the JSON Web Key Set for tokens; Issuer and Audience are their required claims.
	Keys             []byte
	Issuer, Audience string
}

// ControlPlane is this project's control plane, starting from the catalog.
type ControlPlane struct {
	// Store holds the mesh before the first change.
	Store *snapshot.Store
	// Metrics contains all metrics of the control plane.
	Metrics *prometheus.Registry

	server  *xds.Server
	manager *certificate.Manager
	renewed atomic.Int64
	// counter has the counter of requests only.
	counter *prometheus.Registry
}

// New returns a control plane for a mesh.
func New(setup Setup, m *mesh.Mesh) (*ControlPlane, error) {
	authenticator, err := newTokens(setup)
	if err != nil {
		return nil, err
	}
	root, err := certificate.ParseRoot(setup.RootCert, setup.RootKey, time.Now())
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{counter: prometheus.NewRegistry(), Metrics: prometheus.NewRegistry()}
	c.manager = certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: mesh.TrustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) {
			c.Store.CertificateRotated(sa)
			c.renewed.Add(1)
		},
	})
	metrics := watchedMetrics{c.Metrics, c.counter}
	c.Store = snapshot.NewStore(snapshot.Config{Certificates: c.manager, Log: logr.Discard(), Metrics: metrics, Now: time.Now})
	c.server, err = xds.NewServer(xds.Config{
		Store: c.Store, Authenticator: authenticator, Log: logr.Discard(), Metrics: metrics,
		TLS:                  certificate.NewServerCertificate(c.manager, time.Now, ServerName).TLSConfig(),
		MaxPendingPerAddress: math.MaxInt32, // all sidecars connect from one address
	})
	if err != nil {
		return nil, err
	}
	for _, entry := range m.Entries() {
		c.Store.Apply([]catalog.Change{catalog.Set(entry)})
	}
	c.Store.MarkSynced()
	return c, nil
}

// Serve serves sidecars on a listener until ctx ends.
func (c *ControlPlane) Serve(ctx context.Context, listener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Store.Run(ctx) })
	group.Go(func() error { return c.server.Serve(ctx, listener) })
	group.Go(func() error {
		var failed error
		c.manager.Run(ctx, func(err error) { failed = err })
		return failed
	})
	return group.Wait()
}

// Renew makes all certificates due at once.
func (c *ControlPlane) Renew() { c.manager.SetLifetime(RenewedLifetime) }

// Renewed returns the number of certificates renewed so far.
func (c *ControlPlane) Renewed() int64 { return c.renewed.Load() }

// Requests returns the number of requests read from sidecars.
func (c *ControlPlane) Requests() int64 {
	families, err := c.counter.Gather()
	if err != nil {
		return 0
	}
	var sum float64
	for _, family := range families {
		for _, value := range family.GetMetric() {
			sum += value.GetCounter().GetValue()
		}
	}
	return int64(sum)
}

// Barrier waits until all applied changes have been processed for the affected sidecars.
func (c *ControlPlane) Barrier(ctx context.Context) {
	_, _ = c.Store.Policy(ctx, entity.Ref{}) // the query is answered after all earlier changes
}

// Acknowledged reports whether every connected sidecar has acknowledged all resources.
func (c *ControlPlane) Acknowledged() bool {
	for _, proxy := range c.Store.Proxies() {
		for _, status := range proxy.Types {
			if !status.PendingSince.IsZero() || status.IsAwaitingAnswer() || status.Rejection != "" {
				return false
			}
		}
	}
	return true
}

// watchedMetrics finds the counter of requests among the registered metrics.
type watchedMetrics struct {
	prometheus.Registerer
	counter prometheus.Registerer
}

// MustRegister implements prometheus.Registerer.
func (w watchedMetrics) MustRegister(collectors ...prometheus.Collector) {
	w.Registerer.MustRegister(collectors...)
	for _, c := range collectors {
		descriptions := make(chan *prometheus.Desc, 1)
		if vec, ok := c.(*prometheus.CounterVec); ok {
			vec.Describe(descriptions)
			if strings.Contains((<-descriptions).String(), `"osm_proxy_xds_request_count"`) {
				w.counter.MustRegister(c)
			}
		}
	}
}

// tokens verifies the tokens of sidecars as the controller does, with static keys.
type tokens struct{ *token.Verifier }

func newTokens(setup Setup) (tokens, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(setup.Keys, &keys); err != nil {
		return tokens{}, fmt.Errorf("the keys of tokens cannot be read: %w", err)
	}
	return tokens{token.NewVerifier(token.Config{
		Audience:    setup.Audience,
		FetchIssuer: func(context.Context) (string, error) { return setup.Issuer, nil },
		FetchKeys:   func(context.Context) (*jose.JSONWebKeySet, error) { return &keys, nil },
		Now:         time.Now,
	})}, nil
}

// Authenticate implements xds.Authenticator.
func (t tokens) Authenticate(ctx context.Context, raw string) (xds.Peer, error) {
	verified, err := t.Verify(ctx, raw)
	if err != nil {
		return xds.Peer{}, err
	}
	return xds.Peer{
		Pod:        entity.Name{Namespace: verified.Namespace, Name: verified.Pod},
		InstanceID: verified.InstanceID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.Expiry,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
	}, nil
}
