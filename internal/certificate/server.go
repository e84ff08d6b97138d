package certificate

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// serverLifetime is the lifetime of the control plane's own server certificate.
const serverLifetime = 24 * time.Hour

// ServerIssuer issues server certificates. Manager implements it.
type ServerIssuer interface {
	Server(dnsNames []string, lifetime time.Duration) (Certificate, error)
	Generation() string
}

// ServerCertificate is a TLS server certificate that is renewed during handshakes: at two thirds of its lifetime, or after
// a change of the root or of its names. It is safe for concurrent use.
type ServerCertificate struct {
	issuer   ServerIssuer
	dnsNames func() []string
	now      func() time.Time

	mu         sync.Mutex
	current    *tls.Certificate
	names      []string
	generation string
	renewAt    time.Time
	expires    time.Time
}

// NewServerCertificate returns a certificate for the given DNS names. The first handshake issues it.
func NewServerCertificate(issuer ServerIssuer, now func() time.Time, dnsNames ...string) *ServerCertificate {
	return NewRenamedServerCertificate(issuer, now, func() []string { return dnsNames })
}

// NewRenamedServerCertificate returns a certificate for DNS names that may change. The first handshake issues it.
func NewRenamedServerCertificate(issuer ServerIssuer, now func() time.Time, dnsNames func() []string) *ServerCertificate {
	return &ServerCertificate{issuer: issuer, dnsNames: dnsNames, now: now}
}

// ServerNames returns a function that lists the DNS names of a server of the control plane: one for each trust domain that its clients may
// expect.
func (m *Manager) ServerNames(name func(trustDomain string) string) func() []string {
	return func() []string {
		var list []string
		for _, domain := range identity.MergeTrustDomains(m.TrustDomains().Known, []string{m.options.TrustDomain}) {
			list = append(list, name(domain))
		}
		return list
	}
}

// TLSConfig returns a server configuration for HTTP/2, as gRPC requires, with TLS 1.2 or later.
func (s *ServerCertificate) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, GetCertificate: s.Get}
}

// Get implements tls.Config.GetCertificate. If renewal fails, the current certificate is used until it expires.
func (s *ServerCertificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, generation, dnsNames := s.now(), s.issuer.Generation(), s.dnsNames()
	if s.current != nil && now.Before(s.renewAt) && generation == s.generation && slices.Equal(dnsNames, s.names) {
		return s.current, nil
	}
	if err := s.renew(now, dnsNames); err != nil {
		if s.current != nil && now.Before(s.expires) {
			return s.current, nil
		}
		return nil, err
	}
	return s.current, nil
}

// renew replaces the certificate. The caller must hold the lock.
func (s *ServerCertificate) renew(now time.Time, dnsNames []string) error {
	leaf, err := s.issuer.Server(dnsNames, serverLifetime)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(leaf.ChainPEM, leaf.KeyPEM)
	if err != nil {
		return fmt.Errorf("the new server certificate for %s is not usable: %w", dnsNames[0], err)
	}
	s.current, s.names, s.generation, s.expires = &pair, dnsNames, leaf.Generation, leaf.NotAfter
	s.renewAt = now.Add(leaf.NotAfter.Sub(now) * 2 / 3)
	return nil
}
