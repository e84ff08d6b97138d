package xds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover/osmproxy"
)

// Bridge lets sidecars of Open Service Mesh v1.2 connect until a time. They prove their identity by a client certificate of the authority that the
// mesh has adopted.
type Bridge struct {
	// Until is when their streams end, and no others begin.
	Until time.Time
	// TrustDomain is that of the names in their certificates.
	TrustDomain string
	// Roots returns the current trust bundle of the mesh.
	Roots func() []byte
}

// isOpen reports whether a bridge is declared and has not ended.
func (b *Bridge) isOpen(now time.Time) bool { return b != nil && now.Before(b.Until) }

// errBridgeClosed means that a client has a certificate, and the bridge has ended.
var errBridgeClosed = errors.New("sidecars of Open Service Mesh are not served any more: restart the workload")

// requestCertificates makes the server request a certificate of clients while the bridge is open. It verifies none during the handshake: clients with
// a token need no certificate, whatever they present.
func (s *Server) requestCertificates(config *tls.Config) {
	if s.config.Bridge == nil {
		return
	}
	requesting := config.Clone()
	requesting.ClientAuth = tls.RequestClientCert
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if s.config.Bridge.isOpen(s.config.Now()) {
			return requesting, nil
		}
		return nil, nil //nolint:nilnil // the usual configuration
	}
}

// authenticateDiscovery returns the peer of a discovery stream: that of its token, or without a token that of the client certificate. Other streams
// need a token.
func (s *Server) authenticateDiscovery(ctx context.Context) (Peer, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	certificate := clientCertificate(ctx)
	if s.config.Bridge == nil || certificate == nil || len(md.Get("authorization")) > 0 {
		return s.authenticate(ctx)
	}
	peer, err := s.config.Bridge.peerOf(certificate, s.config.Now())
	if err != nil {
		s.metrics.rejected.WithLabelValues("certificate").Inc()
		s.log.info("Rejected a connection", "reason", err.Error())
		return Peer{}, status.Error(codes.Unauthenticated, "the client certificate is not accepted")
	}
	return peer, nil
}

// peerOf returns the peer of a client certificate. The Store finds its pod.
func (b *Bridge) peerOf(certificate *x509.Certificate, now time.Time) (Peer, error) {
	if !b.isOpen(now) {
		return Peer{}, errBridgeClosed
	}
	proxy, err := osmproxy.Verify(certificate, osmproxy.Roots{PEM: b.Roots(), TrustDomain: b.TrustDomain, Now: now})
	if err != nil {
		return Peer{}, fmt.Errorf("there is no token, and %w", err)
	}
	expiry := b.Until
	if proxy.Expiry.Before(expiry) {
		expiry = proxy.Expiry
	}
	return Peer{
		// The Store replaces the UUID, which logs need until then.
		Pod:            entity.Name{Namespace: proxy.ServiceAccount.Namespace, Name: proxy.UUID},
		ServiceAccount: proxy.ServiceAccount, OSMProxy: &proxy, Expiry: expiry,
	}, nil
}

// clientCertificate returns the certificate that a client has presented; nil without one. Its key was proved in the handshake.
func clientCertificate(ctx context.Context) *x509.Certificate {
	info, ok := connectionOf(ctx).AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil
	}
	return info.State.PeerCertificates[0]
}
