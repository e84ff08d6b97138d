package certificate

import (
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// MinLifetime is the shortest validity of workload certificates; shorter wishes are raised to it, so that renewal never
// becomes a busy loop.
const MinLifetime = time.Minute

// Options are what a Manager needs. All fields but the callbacks and Key are required.
type Options struct {
	Root        *Root
	TrustDomain string
	// Key is the kind of the workloads' keys.
	Key KeySpec
	// Lifetime is the validity of workload certificates.
	Lifetime time.Duration
	// Now is the clock.
	Now func() time.Time
	// Jitter returns random numbers in [0, 1) that spread renewals.
	Jitter func() float64
	// Rotated is called after a workload's certificate was replaced: ask Certificate for the new one. A workload whose
	// certificate nobody asks for between two renewals is forgotten.
	Rotated func(identity.ServiceAccount)
	// RootChanged is called after the trust bundle changed: ask Root for the new one.
	RootChanged func()
}

// Manager keeps one certificate for each workload identity, in memory, and renews it ahead of its expiry while Run runs.
// It is safe for concurrent use; callbacks run without its lock.
type Manager struct {
	options Options
	wake    chan struct{}

	mu       sync.Mutex
	issuer   *Issuer
	lifetime time.Duration
	retired  []retiredRoot
	entries  map[identity.ServiceAccount]*entry
}

// entry is the certificate of one workload. leaf and err are set once done is closed; the rest is under the Manager's lock.
type entry struct {
	done chan struct{}
	leaf Leaf
	err  error

	renewAt time.Time
	used    bool
}

// NewManager makes a Manager. Certificates are issued when they are asked for; call Run to have them renewed.
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
	}
}

// Certificate is the certificate of a workload, issued now if there is none. Concurrent callers share one issuance.
func (m *Manager) Certificate(sa identity.ServiceAccount) (Leaf, error) {
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

	e.leaf, e.err = issuer.Workload(sa, m.options.TrustDomain, lifetime)
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

// Server issues a certificate for a server of the control plane from the current root. It is neither kept nor renewed.
func (m *Manager) Server(dnsNames []string, lifetime time.Duration) (Leaf, error) {
	m.mu.Lock()
	issuer := m.issuer
	m.mu.Unlock()
	return issuer.Server(dnsNames, lifetime)
}

// Generation is that of the current root.
func (m *Manager) Generation() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.issuer.root.Generation()
}

// SetLifetime changes the validity of certificates issued from now on. Certificates that would outlive the new validity are
// renewed at once.
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

// issued says whether the first issuance is over; leaf may be read then.
func (e *entry) issued() bool { return !e.renewAt.IsZero() }

// notify makes Run look at the entries again.
func (m *Manager) notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
