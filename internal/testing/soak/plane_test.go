package soak

import (
	"context"
	"crypto/tls"
	"flag"
	"net"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

var (
	duration   = flag.Duration("soak.time", 0, "duration of TestChanges, with one change every -soak.every; 0 makes a few hundred changes at once")
	every      = flag.Duration("soak.every", time.Second, "time between two changes with -soak.time")
	reconnects = flag.Int("soak.reconnects", 1000, "number of connections that TestReconnects opens and closes")
)

// timeout limits waiting for any expected state.
const timeout = time.Minute

// sidecars is the number of sidecars of the mesh.
const sidecars = 40

// plane is a control plane with the credentials of its sidecars.
type plane struct {
	*server.ControlPlane
	mesh    *mesh.Mesh
	tokens  []string
	address string
	tls     *tls.Config
}

// start starts a control plane that stops with the test.
func start(t *testing.T) *plane {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{mesh: mesh.New(mesh.Policy, sidecars), tls: fleet.TLS(root, server.ServerName)}
	setup, tokens, err := fleet.Credentials(root, p.mesh)
	if err != nil {
		t.Fatal(err)
	}
	p.tokens = tokens
	if p.ControlPlane, err = server.New(setup, p.mesh); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the control plane failed: %v", err)
		}
	})
	return p
}

// toggle makes the next change, which a later one reverts.
func (p *plane) toggle(t *testing.T, n int) {
	t.Helper()
	p.Store.Apply(p.mesh.Toggle(n))
	p.Barrier(t.Context())
	p.awaitAcknowledged(t)
}

// awaitAcknowledged waits until all connected sidecars have acknowledged all resources.
func (p *plane) awaitAcknowledged(t *testing.T) {
	t.Helper()
	eventually.True(t, timeout, "all sidecars have acknowledged", p.Acknowledged)
}
