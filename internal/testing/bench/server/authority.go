package server

import (
	"crypto/tls"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// authority is the mesh's real certificate authority.
type authority struct{ *certificate.Manager }

func newAuthority(setup Setup) (authority, error) {
	root, err := certificate.ParseRoot(setup.RootCert, setup.RootKey, time.Now())
	if err != nil {
		return authority{}, err
	}
	return authority{certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: mesh.TrustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
	})}, nil
}

// Certificate implements snapshot.CertificateSource.
func (a authority) Certificate(sa identity.ServiceAccount) (snapshot.Leaf, error) {
	leaf, err := a.Manager.Certificate(sa)
	return snapshot.Leaf(leaf), err
}

// serverTLS is how all variants show themselves to sidecars.
func (a authority) serverTLS() *tls.Config {
	return certificate.NewServerCertificate(a.Manager, time.Now, ServerName).TLSConfig()
}

// grpcOptions make the other variants' servers as frugal as ours.
func (a authority) grpcOptions() []grpc.ServerOption {
	config := a.serverTLS()
	config.NextProtos = []string{"h2"}
	return []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(config)), grpc.ReadBufferSize(4 << 10),
	}
}
