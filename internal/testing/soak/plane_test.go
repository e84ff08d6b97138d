package soak

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"net"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

var (
	duration   = flag.Duration("soak.time", 0, "how long TestChanges makes one change after the other, each -soak.every; 0 makes a few hundred at once")
	every      = flag.Duration("soak.every", time.Second, "the time between two changes with -soak.time")
	reconnects = flag.Int("soak.reconnects", 1000, "how many connections TestReconnects opens and closes")
)

// patience is how long anything is waited for that must happen.
const patience = time.Minute

// sidecars is how many the mesh has.
const sidecars = 40

// plane is a control plane with everything that sidecars need to connect to it.
type plane struct {
	*server.InProcess
	mesh    *mesh.Mesh
	tokens  []string
	address string
	tls     *tls.Config
}

// start starts a control plane, which stops with the test.
func start(t *testing.T) *plane {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{mesh: mesh.New(mesh.Policy, sidecars)}
	for i := range p.mesh.Sidecars() {
		token, err := signer.Token(p.mesh, i)
		if err != nil {
			t.Fatal(err)
		}
		p.tokens = append(p.tokens, token)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root.CertPEM())
	p.tls = &tls.Config{RootCAs: pool, ServerName: server.ServerName, MinVersion: tls.VersionTLS13}
	setup := server.Setup{RootCert: root.CertPEM(), RootKey: key, Keys: signer.Keys, Issuer: fleet.Issuer, Audience: fleet.Audience}
	if p.InProcess, err = server.NewInProcess(setup, p.mesh); err != nil {
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
			t.Errorf("the control plane ended: %v", err)
		}
	})
	return p
}

// toggle makes the next change that leads nowhere.
func (p *plane) toggle(t *testing.T, n int) {
	t.Helper()
	p.Store.Apply(p.mesh.Toggle(n))
	p.Barrier(t.Context())
	p.settle(t)
}

// settle waits until all connected sidecars have accepted everything.
func (p *plane) settle(t *testing.T) {
	t.Helper()
	eventually(t, "all sidecars to acknowledge", p.Settled)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
