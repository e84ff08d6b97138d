package certificate

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// retiredRoot is an authority that stays trusted until the last certificate that it issued has expired.
type retiredRoot struct {
	certificates []*x509.Certificate
	until        time.Time
}

// SetRoot replaces the root and its trust domains, and renews every workload's certificate if the issuer or
// the trust domain differs. A root that trusts the old one declares itself when to
// withdraw it. Otherwise the old root stays in the trust bundle until its last workload certificate has expired. Setting the same
// root again has no effect.
func (m *Manager) SetRoot(root *Root) {
	m.mu.Lock()
	old := m.issuer.root
	before, after := m.trustDomainsOf(old), m.trustDomainsOf(root)
	sameIssuer := bytes.Equal(old.issuing.Raw, root.issuing.Raw) && before.Issued == after.Issued && SameExternalIssuer(old, root)
	if sameIssuer && bytes.Equal(old.CertPEM(), root.CertPEM()) && before.Equal(after) {
		m.mu.Unlock()
		return
	}
	m.issuer = NewIssuer(root, m.options.Key, m.options.Now)
	if !sameIssuer {
		until := m.renewAll()
		if !root.trustsAll(old) {
			m.retired = append(m.retired, retiredRoot{certificates: old.trusted, until: until})
		}
	}
	m.mu.Unlock()
	m.options.RootChanged()
	m.notify()
}

// renewAll makes all certificates due for renewal, and returns when the last one expires. A certificate that is being issued may
// have the whole lifetime. The caller must hold the lock.
func (m *Manager) renewAll() time.Time {
	now := m.options.Now()
	until := now.Add(m.lifetime)
	for _, e := range m.entries {
		if !e.issued() {
			continue
		}
		e.renewAt = now
		if e.leaf.NotAfter.After(until) {
			until = e.leaf.NotAfter
		}
	}
	return until
}

// trustsAll reports whether a root trusts every certificate that another one trusts.
func (r *Root) trustsAll(other *Root) bool {
	return !slices.ContainsFunc(other.trusted, func(c *x509.Certificate) bool { return !slices.ContainsFunc(r.trusted, c.Equal) })
}

// dropRetiredRoots removes retired roots that have expired, and reports whether there were any.
func (m *Manager) dropRetiredRoots() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	before := len(m.retired)
	m.retired = slices.DeleteFunc(m.retired, func(r retiredRoot) bool { return !r.until.After(now) })
	return len(m.retired) != before
}

// Root returns the trust bundle for connections between workloads as PEM: the certificates of the current root, then
// those of retired roots, without duplicates.
func (m *Manager) Root() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	bundle := slices.Clone(m.issuer.root.trusted)
	for _, r := range m.retired {
		for _, c := range r.certificates {
			if !slices.ContainsFunc(bundle, c.Equal) {
				bundle = append(bundle, c)
			}
		}
	}
	return encodeCertificates(bundle...)
}
