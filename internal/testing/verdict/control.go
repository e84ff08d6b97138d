package verdict

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const trustDomain = "mesh.test"

// control is a control plane without Kubernetes: the test applies changes to its catalog.
type control struct {
	store   *snapshot.Store
	loads   *loadstats.Store
	manager *certificate.Manager
	root    *certificate.Root
	rootPEM []byte
}

// tokens authenticates pods with static tokens.
type tokens struct{}

// Authenticate implements xds.Authenticator.
func (tokens) Authenticate(_ context.Context, token string) (xds.Peer, error) {
	for i, p := range pods {
		if token != tokenOf(i) {
			continue
		}
		sa := identity.ServiceAccount{Namespace: p.name.Namespace, Name: p.account}
		return xds.Peer{
			Pod: p.name, PodUID: "uid-" + p.name.Name, ServiceAccount: sa, ServiceAccountUID: accountUID(sa), Expiry: time.Now().Add(24 * time.Hour),
		}, nil
	}
	return xds.Peer{}, errors.New("no such token")
}

// certificateSource adapts a certificate manager to snapshot.CertificateSource.
type certificateSource struct{ *certificate.Manager }

// Certificate implements snapshot.CertificateSource.
func (i certificateSource) Certificate(sa identity.ServiceAccount) (snapshot.Certificate, error) {
	leaf, err := i.Manager.Certificate(sa)
	return snapshot.Certificate(leaf), err
}

// serve runs the control plane on a listener until the test ends.
func serve(t *testing.T, listener net.Listener) *control {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &control{root: root, rootPEM: root.CertPEM(), loads: loadstats.NewStore(time.Now)}
	manager := certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: trustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) { c.store.CertificateRotated(sa) }, RootChanged: func() { c.store.RootChanged() },
	})
	c.manager = manager
	metrics := prometheus.NewRegistry()
	log := testr.New(t)
	c.store = snapshot.NewStore(snapshot.Config{Certificates: certificateSource{manager}, Log: log, Metrics: metrics, Now: time.Now})
	server, err := xds.NewServer(xds.Config{
		Store: c.store, Authenticator: tokens{}, Log: log, Metrics: metrics, Loads: c.loads, Compatibility: compatibility.Current(),
		TLS: certificate.NewServerCertificate(manager, time.Now, names.ADSCommonName(trustDomain)).TLSConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() {
		manager.Run(ctx, func(err error) { t.Error(err) })
		done <- nil
	}()
	go func() { done <- c.store.Run(ctx) }()
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// apply applies changes and returns when the store has processed them. Sidecars receive them later.
func (c *control) apply(list []catalog.Change) {
	c.store.Apply(list)
	// The query is answered after the changes; its result does not matter.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = c.store.Connect(ctx, snapshot.Peer{}, func() {})
}

// progress returns the number of resources sent, whether all sidecars have responded, and a rejection, if any.
func (c *control) progress() (sent uint64, answered bool, rejection string) {
	proxies := c.store.Proxies()
	answered = len(proxies) == len(pods)
	for _, proxy := range proxies {
		for kind, status := range proxy.Types {
			sent += status.Sent
			answered = answered && !status.IsAwaitingAnswer()
			if status.Rejection != "" {
				rejection = proxy.Pod.String() + " rejects " + kind.String() + ": " + status.Rejection
			}
		}
	}
	return sent, answered, rejection
}
