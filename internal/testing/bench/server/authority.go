package server

import (
	"crypto/tls"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// authority adapts the mesh's certificate authority to snapshot.CertificateSource.
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
	var requester certificate.Requester
	if setup.IssuerDelay > 0 {
		root = root.IssuedBy(&certificate.ExternalIssuer{Name: "bench", Kind: "ClusterIssuer", Group: "cert-manager.io"})
		if requester, err = newRequester(setup); err != nil {
			return authority{}, err
		}
	}
	r := &renewals{}
	return authority{renewals: r, Manager: certificate.NewManager(certificate.Options{
		Requester: requester, Root: root, TrustDomain: mesh.TrustDomain, Lifetime: 24 * time.Hour, Now: time.Now, Jitter: rand.Float64,
		Rotated: func(sa identity.ServiceAccount) {
			r.renewed(sa)
			r.count.Add(1)
		},
	})}, nil
}

// Certificate implements snapshot.CertificateSource.
func (a authority) Certificate(sa identity.ServiceAccount) (snapshot.Certificate, error) {
	leaf, err := a.Manager.Certificate(sa)
	return snapshot.Certificate(leaf), err
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
