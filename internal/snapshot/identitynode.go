package snapshot

import (
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// CertificateSource issues and renews the certificates of workloads. It is safe for concurrent use.
type CertificateSource interface {
	// Certificate is the current certificate of a workload, issued now if there is none. It may take as long as making a key
	// takes.
	Certificate(sa identity.ServiceAccount) (Leaf, error)
	// Root is the trust bundle that workloads validate each other by, in PEM.
	Root() []byte
}

// Leaf is a workload's certificate.
type Leaf struct {
	ChainPEM []byte
	KeyPEM   []byte
	NotAfter time.Time
	// Generation changes when the root that issued the certificate changes, and is the same in all replicas.
	Generation string
}

// identityNode is a workload identity in use, with its certificate. The Store's goroutine alone writes it.
type identityNode struct {
	account identity.ServiceAccount
	// secret is the name of the secret with the certificate.
	secret  string
	current atomic.Pointer[content]
	scopes  map[*scopeNode]struct{}
	// issuing is true while a goroutine asks for the certificate, and again when it changed meanwhile.
	issuing, again bool
	failures       int
}

// issue asks for the certificate of an identity outside the Store's goroutine, because making a key can be slow.
func (s *Store) issue(n *identityNode) {
	if n.issuing {
		n.again = true
		return
	}
	n.issuing = true
	go func() {
		leaf, err := s.config.Certificates.Certificate(n.account)
		s.post(func() { s.issued(n, leaf, err) })
	}()
}

// issued takes a certificate and hands it to the streams of its identity.
func (s *Store) issued(n *identityNode, leaf Leaf, err error) {
	n.issuing = false
	if s.identities[n.account] != n {
		return
	}
	if err == nil {
		err = s.setCertificate(n, leaf)
	}
	if err != nil {
		s.retryIssue(n, err)
		return
	}
	n.failures = 0
	if n.again {
		n.again = false
		s.issue(n)
	}
}

func (s *Store) setCertificate(n *identityNode, leaf Leaf) error {
	c, err := newContent(envoy.ServiceCertSecret(n.account, leaf.ChainPEM, leaf.KeyPEM))
	if err != nil {
		return err
	}
	c.label = certificateVersion(leaf)
	n.current.Store(c)
	diff := changes{Secrets: {n.secret}}
	for sc := range n.scopes {
		s.tell(sc, &diff)
	}
	return nil
}

// retryIssue asks again after a while: 1 s, doubled up to 1 min.
func (s *Store) retryIssue(n *identityNode, err error) {
	delay := min(time.Second<<min(n.failures, 6), time.Minute)
	n.failures++
	s.config.Log.Error(err, "a workload has no certificate and cannot be reached or call others; asking again",
		"identity", n.account.String(), "after", delay)
	time.AfterFunc(delay, func() {
		s.post(func() {
			if s.identities[n.account] == n {
				s.issue(n)
			}
		})
	})
}
