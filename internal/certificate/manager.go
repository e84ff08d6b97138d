package certificate

import (
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// MinLifetime is the minimum lifetime of workload certificates. Shorter values are raised to it, which bounds the rate
// of renewals.
const MinLifetime = time.Minute

// Options configures a Manager. Key and the callbacks are optional.
type Options struct {
	Root *Root
	// TrustDomain is the trust domain of a root that has none.
	TrustDomain string
	// Key is the kind of the workloads' keys.
	Key KeySpec
	// Lifetime is the lifetime of workload certificates.
	Lifetime time.Duration
	// Now is the clock.
	Now func() time.Time
	// Jitter returns random numbers in [0, 1) that spread the renewals.
	Jitter func() float64
	// Metrics counts issued certificates. It is optional.
	Metrics *Metrics
	// Requester requests certificates of an external issuer. It is required for roots that have one.
	Requester Requester
	// Rotated is called after a workload's certificate was replaced; Manager.Certificate returns the new one. A workload
	// whose certificate is not requested between two renewals is removed.
	Rotated func(identity.ServiceAccount)
	// RootChanged is called after the trust bundle changed; Manager.Root returns the new one.
	RootChanged func()
}

// Manager keeps one certificate for each workload identity in memory, and Run renews it before its expiry.
// It is safe for concurrent use. Callbacks run without its lock.
type Manager struct {
	options Options
	wake    chan struct{}

	mu       sync.Mutex
	issuer   *Issuer
	lifetime time.Duration
	retired  []retiredRoot
	entries  map[identity.ServiceAccount]*entry
	failures failures
}

// entry is the certificate of one workload. leaf and err are set once done is closed; the Manager's lock guards the other fields.
type entry struct {
	done chan struct{}
	leaf Certificate
	err  error

	renewAt time.Time
	// failedAt is when the latest renewal failed; zero after a success.
	failedAt time.Time
	used     bool
}

// NewManager returns a Manager. It issues certificates on request; Run renews them.
func NewManager(options Options) *Manager {
	if options.Rotated == nil {
		options.Rotated = func(identity.ServiceAccount) {}
	}
	if options.RootChanged == nil {
		options.RootChanged = func() {}
	}
	return &Manager{
		options:  options,
		wake:     make(chan struct{}, 1),
		issuer:   NewIssuer(options.Root, options.Key, options.Now),
		lifetime: max(options.Lifetime, MinLifetime),
		entries:  map[identity.ServiceAccount]*entry{},
		failures: failures{},
	}
}

// Certificate returns the certificate of a workload and issues it if there is none. Concurrent callers share one issuance.
func (m *Manager) Certificate(sa identity.ServiceAccount) (Certificate, error) {
	m.mu.Lock()
	e := m.entries[sa]
	if e != nil {
		e.used = true
		m.mu.Unlock()
		<-e.done
		return e.leaf, e.err
	}
	e = &entry{done: make(chan struct{}), used: true}
	m.entries[sa] = e
	issuer, lifetime := m.issuer, m.lifetime
	m.mu.Unlock()

	e.leaf, e.err = m.issue(issuer, sa, lifetime)
	m.mu.Lock()
	if e.err != nil {
		delete(m.entries, sa)
	} else {
		e.renewAt = m.renewalTime(e.leaf, issuer)
	}
	m.mu.Unlock()
	close(e.done)
	m.notify()
	return e.leaf, e.err
}

// issue issues the certificate of a workload and measures it.
func (m *Manager) issue(issuer *Issuer, sa identity.ServiceAccount, lifetime time.Duration) (Certificate, error) {
	start := m.options.Now()
	var leaf Certificate
	var err error
	if domain := m.trustDomainsOf(issuer.root).Issued; issuer.root.external != nil {
		leaf, err = issuer.request(m.options.Requester, sa, domain, lifetime)
	} else {
		leaf, err = issuer.Workload(sa, domain, lifetime)
	}
	end := m.options.Now()
	m.options.Metrics.observe(end.Sub(start), err)
	m.record(sa, end, err)
	return leaf, err
}

// Server issues a certificate for a server of the control plane from the current root. The Manager does not keep or renew it.
func (m *Manager) Server(dnsNames []string, lifetime time.Duration) (Certificate, error) {
	return m.current().Server(dnsNames, lifetime)
}

// current returns the issuer of the current root.
func (m *Manager) current() *Issuer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.issuer
}

// Generation returns the generation of the current root.
func (m *Manager) Generation() string {
	return m.current().root.Generation()
}

// TrustDomains returns the trust domains of the mesh.
func (m *Manager) TrustDomains() identity.TrustDomains {
	return m.trustDomainsOf(m.current().root)
}

func (m *Manager) trustDomainsOf(root *Root) identity.TrustDomains {
	if root.domains.IsZero() {
		return identity.OneTrustDomain(m.options.TrustDomain)
	}
	return root.domains
}

// SetLifetime changes the lifetime of certificates that are issued from now on. Certificates that would outlive the new
// lifetime are renewed at once.
func (m *Manager) SetLifetime(lifetime time.Duration) {
	lifetime = max(lifetime, MinLifetime)
	m.mu.Lock()
	m.lifetime = lifetime
	now := m.options.Now()
	for _, e := range m.entries {
		if e.issued() && e.leaf.NotAfter.After(now.Add(lifetime)) {
			e.renewAt = now
		}
	}
	m.mu.Unlock()
	m.notify()
}

// issued reports whether the first issuance has completed, after which leaf may be read.
func (e *entry) issued() bool { return !e.renewAt.IsZero() }

// notify wakes Run up to check the entries again.
func (m *Manager) notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// forgetFailure is the time after the last attempt from which a workload is considered gone. It exceeds all delays between attempts.
const forgetFailure = 10 * time.Minute

// Failure describes a workload whose certificate cannot be issued.
type Failure struct {
	// Since is when the first attempt after a success failed, and last when the latest one did.
	Since, last time.Time
	// Err is the error of the latest attempt.
	Err error
}

// failures are the workloads whose certificates cannot be issued.
type failures map[identity.ServiceAccount]Failure

// record records the result of an issuance.
func (m *Manager) record(sa identity.ServiceAccount, at time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.failures, sa)
		return
	}
	f := Failure{Since: at, last: at, Err: err}
	if before, ok := m.failures[sa]; ok {
		f.Since = before.Since
	}
	m.failures[sa] = f
}

// Failure returns the oldest failure of a workload that still needs a certificate; nil without any.
func (m *Manager) Failure() *Failure {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	var oldest *Failure
	var of identity.ServiceAccount
	for sa, f := range m.failures {
		if now.Sub(f.last) > forgetFailure {
			delete(m.failures, sa)
			continue
		}
		if oldest == nil || f.Since.Before(oldest.Since) || f.Since.Equal(oldest.Since) && sa.Compare(of) < 0 {
			oldest, of = &f, sa
		}
	}
	return oldest
}
