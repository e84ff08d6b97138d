package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity/token"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// ours is this project's control plane, starting from the catalog.
type ours struct {
	store     *snapshot.Store
	server    *xds.Server
	authority authority
	// counter finds the counter of requests, and registry has all metrics.
	counter  *prometheus.Registry
	registry *prometheus.Registry
	prepared []catalog.Change
}

func newOurs(setup Setup, m *mesh.Mesh, a authority) (*ours, error) {
	authenticator, err := newTokens(setup)
	if err != nil {
		return nil, err
	}
	o := &ours{authority: a, counter: prometheus.NewRegistry(), registry: prometheus.NewRegistry()}
	metrics := watchedMetrics{o.registry, o}
	o.store = snapshot.NewStore(snapshot.Config{
		Certificates: a, Log: logr.Discard(), Metrics: metrics, Now: time.Now,
	})
	o.server, err = xds.NewServer(xds.Config{
		Store: o.store, Authenticator: authenticator, TLS: a.serverTLS(), Log: logr.Discard(), Metrics: metrics,
		MaxPendingPerAddress: maxPendingPerAddress(setup),
	})
	if err != nil {
		return nil, err
	}
	a.renewals.renewed = o.store.CertificateRotated
	for _, entry := range m.Entries() {
		o.store.Apply([]catalog.Change{catalog.Set(entry)})
	}
	o.store.MarkSynced()
	return o, nil
}

// maxPendingPerAddress returns 0, the default, if sidecars have addresses of their own. Otherwise all of them connect from one.
func maxPendingPerAddress(setup Setup) int {
	if setup.Addresses {
		return 0
	}
	return math.MaxInt32
}

func (o *ours) serve(ctx context.Context, listener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.store.Run(ctx) })
	group.Go(func() error { return o.server.Serve(ctx, listener) })
	group.Go(func() error {
		var failed error
		o.authority.Run(ctx, func(err error) { failed = err })
		return failed
	})
	return group.Wait()
}

// renew makes all certificates due at once, by a shorter lifetime.
func (o *ours) renew() { o.authority.SetLifetime(RenewedLifetime) }

// renewed returns the number of renewals so far.
func (o *ours) renewed() int64 { return o.authority.renewals.count.Load() }

func (o *ours) prepare(c mesh.Change) error {
	o.prepared = c.Changes
	return nil
}

func (o *ours) change() error {
	o.store.Apply(o.prepared)
	return nil
}

func (o *ours) requests() int64 {
	families, err := o.counter.Gather()
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

// watchedMetrics finds the counter of requests among the registered metrics.
type watchedMetrics struct {
	prometheus.Registerer
	ours *ours
}

// MustRegister implements prometheus.Registerer.
func (w watchedMetrics) MustRegister(collectors ...prometheus.Collector) {
	w.Registerer.MustRegister(collectors...)
	for _, c := range collectors {
		descriptions := make(chan *prometheus.Desc, 1)
		if vec, ok := c.(*prometheus.CounterVec); ok {
			vec.Describe(descriptions)
			if strings.Contains((<-descriptions).String(), `"osm_proxy_xds_request_count"`) {
				w.ours.counter.MustRegister(c)
			}
		}
	}
}

// tokens verifies the tokens of sidecars as the controller does, with static keys.
type tokens struct{ verifier *token.Verifier }

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
	verified, err := t.verifier.Verify(ctx, raw)
	if err != nil {
		return xds.Peer{}, err
	}
	return xds.Peer{
		Pod:    catalog.Name{Namespace: verified.Namespace, Name: verified.Pod},
		PodUID: verified.PodUID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.Expiry,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
	}, nil
}
