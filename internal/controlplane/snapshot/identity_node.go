package snapshot

import (
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// maxCertificateBackoff limits the exponential backoff after a certificate could not be issued. It starts at one second. Jitter adds up to the
// same duration, so a workload gets its certificate within a minute of the return of its issuer.
const maxCertificateBackoff = 30 * time.Second

// identityNode is a workload identity in use and its certificate. The Store's goroutine alone modifies it.
type identityNode struct {
	account identity.ServiceAccount
	// current is the certificate; nil before it is issued.
	current atomic.Pointer[resource.Content]
	scopes  map[*scopeNode]struct{}
	// requesting is true while a goroutine requests the certificate. repeat is true if it must be requested again afterwards.
	requesting, repeat bool
	failures           int
}

// identityFor returns the node of an identity and creates it if there is none.
func (s *Store) identityFor(sa identity.ServiceAccount) *identityNode {
	n, ok := s.identities[sa]
	if !ok {
		n = &identityNode{account: sa, scopes: map[*scopeNode]struct{}{}}
		s.identities[sa] = n
		s.requestCertificate(n)
	}
	return n
}

// requestCertificate requests the certificate of an identity on another goroutine, because generating a key is slow.
func (s *Store) requestCertificate(n *identityNode) {
	if n.requesting {
		n.repeat = true
		return
	}
	n.requesting = true
	go func() {
		certificate, err := s.config.Certificates.Certificate(n.account)
		s.run(func() { s.handleCertificate(n, certificate, err) })
	}()
}

// handleCertificate pushes a requested certificate to the streams of its identity.
func (s *Store) handleCertificate(n *identityNode, certificate Certificate, err error) {
	n.requesting = false
	if s.identities[n.account] != n {
		return
	}
	if err == nil {
		err = s.setCertificate(n, certificate)
	}
	if err != nil {
		s.retryCertificate(n, err)
		return
	}
	n.failures = 0
	if n.repeat {
		n.repeat = false
		s.requestCertificate(n)
	}
}

func (s *Store) setCertificate(n *identityNode, certificate Certificate) error {
	c, err := resource.NewWithVersion(envoy.ServiceCertSecret(envoy.ServiceCertName, certificate.ChainPEM, certificate.KeyPEM),
		resource.CertificateVersion(certificate.Generation, certificate.TrustDomain, certificate.NotAfter))
	if err != nil {
		return err
	}
	n.current.Store(c)
	changes := delta.Changes{resourcetype.Secrets: {envoy.ServiceCertName}}
	for sc := range n.scopes {
		sc.notify(s, &changes)
	}
	return nil
}

func (s *Store) retryCertificate(n *identityNode, err error) {
	delay := min(time.Second<<min(n.failures, 6), maxCertificateBackoff)
	if s.config.Jitter != nil {
		delay += time.Duration(s.config.Jitter() * float64(delay))
	}
	n.failures++
	s.config.Log.Error(err, "A workload has no certificate and cannot use mTLS, retrying", "identity", n.account.String(), "delay", delay)
	s.runAfter(delay, func() {
		if s.identities[n.account] == n {
			s.requestCertificate(n)
		}
	})
}
