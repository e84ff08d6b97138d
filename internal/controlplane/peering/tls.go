package peering

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Certificates returns the certificate of the control plane in a trust domain of this mesh.
type Certificates func(trustDomain string) (*tls.Certificate, error)

// serverTLS returns the configuration of the server. The server name selects a peer and proves nothing: the client must then have a certificate of that peer.
func (c Config) serverTLS(peers *registry) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			peer, domain, ok := peers.byServerName(hello.ServerName, c.Domains().Known)
			if !ok {
				return nil, errUnknownPeer
			}
			own, err := c.Certificates(domain)
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{*own}, SessionTicketsDisabled: true,
				ClientAuth: tls.RequireAnyClientCert,
				VerifyConnection: func(state tls.ConnectionState) error {
					return peers.verify(peer, state.PeerCertificates, x509.ExtKeyUsageClientAuth)
				},
			}, nil
		},
	}
}

// clientTLS returns the configuration for a connection to a peer. The server has another name than the one that gateways read.
func (c Config) clientTLS(peers *registry, peer Peer) (*tls.Config, error) {
	domain := c.Domains().Issued
	own, err := c.Certificates(domain)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{*own},
		ServerName:         identity.DiscoveryServerName(peer.TrustDomain, domain),
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies the chain and another name.
		VerifyConnection: func(state tls.ConnectionState) error {
			return peers.verify(peer, state.PeerCertificates, x509.ExtKeyUsageServerAuth)
		},
	}, nil
}
