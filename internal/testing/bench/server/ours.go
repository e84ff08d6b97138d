package server

import (
	"context"
	"crypto/tls"
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
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
		MaxPendingPerAddress: math.MaxInt32, // all sidecars connect from one address
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
		Pod:    entity.Name{Namespace: verified.Namespace, Name: verified.Pod},
		PodUID: verified.PodUID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.Expiry,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
	}, nil
}

// authority is the mesh's certificate authority, which counts its renewals.
type authority struct {
	*certificate.Manager
	renewals *renewals
}

// renewals counts renewed certificates.
type renewals struct {
	count atomic.Int64
	// renewed is set before the Manager runs.
	renewed func(identity.ServiceAccount)
}

func newAuthority(setup Setup) (authority, error) {
	root, err := certificate.ParseRoot(setup.RootCert, setup.RootKey, time.Now())
	if err != nil {
		return authority{}, err
	}
	r := &renewals{}
	return authority{renewals: r, Manager: certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: mesh.TrustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) {
			r.renewed(sa)
			r.count.Add(1)
		},
	})}, nil
}

// serverTLS returns the TLS configuration of all variants.
func (a authority) serverTLS() *tls.Config {
	return certificate.NewServerCertificate(a.Manager, time.Now, ServerName).TLSConfig()
}

// grpcOptions returns the gRPC options of the other variants, with the same small buffers as ours.
func (a authority) grpcOptions() []grpc.ServerOption {
	config := a.serverTLS()
	config.NextProtos = []string{"h2"}
	return []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(config)), grpc.ReadBufferSize(4 << 10),
	}
}

// InProcess is this project's control plane in the caller's process, for access to its state.
type InProcess struct {
	// Store holds the mesh before the first change.
	Store *snapshot.Store
	// Metrics contains all metrics of the control plane.
	Metrics *prometheus.Registry
	// Serve serves sidecars on a listener until ctx ends.
	Serve func(ctx context.Context, listener net.Listener) error
}

// NewInProcess returns a control plane for a mesh. It ignores the variant of the Setup.
func NewInProcess(setup Setup, m *mesh.Mesh) (*InProcess, error) {
	authority, err := newAuthority(setup)
	if err != nil {
		return nil, err
	}
	o, err := newOurs(setup, m, authority)
	if err != nil {
		return nil, err
	}
	return &InProcess{Store: o.store, Metrics: o.registry, Serve: o.serve}, nil
}

// Barrier waits until all applied changes have been processed for the affected sidecars.
func (p *InProcess) Barrier(ctx context.Context) {
	_, _ = p.Store.Policy(ctx, entity.Ref{}) // the query is answered after all earlier changes
}

// Acknowledged reports whether every connected sidecar has acknowledged all resources.
func (p *InProcess) Acknowledged() bool {
	for _, proxy := range p.Store.Proxies() {
		for _, status := range proxy.Types {
			if !status.PendingSince.IsZero() || status.IsAwaitingAnswer() || status.Rejection != "" {
				return false
			}
		}
	}
	return true
}
