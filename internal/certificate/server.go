package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
		return lists.Map(identity.MergeTrustDomains(m.TrustDomains().Known, []string{m.options.TrustDomain}), name)
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

// Directory is a mounted CA Secret that can change while the process runs.
type Directory struct {
	path string
	now  func() time.Time
	// content is what the last successful Load read, by file.
	content   map[string][]byte
	lastError string
}

// OpenDirectory returns the Directory with the keys of a CA Secret in path. now is the clock.
func OpenDirectory(path string, now func() time.Time) *Directory {
	return &Directory{path: path, now: now}
}

// Load reads the authority.
func (d *Directory) Load() (*Root, error) {
	// The kubelet updates a mounted Secret atomically by replacing the symlink ..data. It is resolved once, so that both
	// files are of the same version.
	directory := d.path
	if data, err := filepath.EvalSymlinks(filepath.Join(d.path, "..data")); err == nil {
		directory = data
	}
	content := map[string][]byte{}
	for _, name := range []string{TrustKey, SignerKey, ChainKey, DomainsKey, ExternalIssuerKey} {
		text, err := os.ReadFile(filepath.Join(directory, name))
		isOptional := name != TrustKey && name != SignerKey
		if err != nil && (!isOptional || !os.IsNotExist(err)) {
			return nil, fmt.Errorf("the certificate authority cannot be read, is the CA Secret mounted at %s? %w", d.path, err)
		}
		content[name] = text
	}
	root, err := Decode(content)
	if err == nil {
		err = root.Valid(d.now())
	}
	if err != nil {
		return nil, fmt.Errorf("the root in %s is not usable: %w", d.path, err)
	}
	d.content = content
	return root, nil
}

// Watch calls changed with every new root until ctx ends. It polls, because file notifications do not work on all
// mounts and a root changes rarely. An unusable root is reported to failed once for each reason, and the last
// usable one stays active.
func (d *Directory) Watch(ctx context.Context, interval time.Duration, changed func(*Root), failed func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.poll(changed, failed)
		}
	}
}

// poll loads the root once and reports a change or a new error.
func (d *Directory) poll(changed func(*Root), failed func(error)) {
	before := d.content
	root, err := d.Load()
	switch {
	case err != nil && err.Error() != d.lastError:
		d.lastError = err.Error()
		failed(err)
	case err == nil:
		d.lastError = ""
		if !maps.EqualFunc(before, d.content, bytes.Equal) {
			changed(root)
		}
	}
}
