package certificate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// retryDelay is the minimum delay after a failed renewal. Jitter adds up to the same duration.
const retryDelay = 10 * time.Second

// requestBatch is how many certificates are requested of an external issuer at the same time.
const requestBatch = 16

// Run renews certificates until ctx ends. After a failed renewal it calls failed, keeps the certificate and retries.
func (m *Manager) Run(ctx context.Context, failed func(error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
		}
		if m.dropRetiredRoots() {
			m.options.RootChanged()
		}
		m.renewDue(ctx, failed)
		timer.Reset(m.untilNext())
	}
}

// renewDue renews the certificates that are due. Requests to an external issuer are made in batches. When all of a batch fail and none is
// denied, the issuer is away, and the others are tried later.
func (m *Manager) renewDue(ctx context.Context, failed func(error)) {
	due := m.due()
	size := 1
	if m.UsesExternalIssuer() {
		size = requestBatch
	}
	for first := 0; first < len(due) && ctx.Err() == nil; first += size {
		batch := due[first:min(first+size, len(due))]
		errs := m.renewBatch(batch)
		for _, err := range errs {
			failed(err)
		}
		if size > 1 && len(errs) == len(batch) && !slices.ContainsFunc(errs, isDenied) {
			m.postpone(due[first+len(batch):])
			return
		}
	}
}

// renewBatch renews certificates concurrently, and returns the errors.
func (m *Manager) renewBatch(batch []identity.ServiceAccount) []error {
	results := make([]error, len(batch))
	var group sync.WaitGroup
	for i, sa := range batch {
		group.Go(func() { results[i] = m.renew(sa) })
	}
	group.Wait()
	return slices.DeleteFunc(results, func(err error) bool { return err == nil })
}

// postpone retries renewals later.
func (m *Manager) postpone(list []identity.ServiceAccount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sa := range list {
		if e := m.entries[sa]; e != nil {
			e.renewAt = m.retryTime()
		}
	}
}

// retryTime returns when a failed renewal is repeated. The caller must hold the lock.
func (m *Manager) retryTime() time.Time {
	return m.options.Now().Add(retryDelay + time.Duration(m.options.Jitter()*float64(retryDelay)))
}

// UsesExternalIssuer reports whether an external issuer issues the certificates of workloads.
func (m *Manager) UsesExternalIssuer() bool {
	return m.current().root.external != nil
}

// due returns the workloads whose certificates must be renewed now, and removes unused entries. Those that have failed come last, the one that
// failed most recently at the end: an issuer may fail for some workloads only, and must not seem to be away for all others.
func (m *Manager) due() []identity.ServiceAccount {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	var due []identity.ServiceAccount
	for sa, e := range m.entries {
		switch {
		case !e.issued() || e.renewAt.After(now):
		case !e.used:
			delete(m.entries, sa)
		default:
			due = append(due, sa)
		}
	}
	slices.SortFunc(due, func(a, b identity.ServiceAccount) int {
		return cmp.Or(m.entries[a].failedAt.Compare(m.entries[b].failedAt), a.Compare(b))
	})
	return due
}

// renew replaces the certificate of a workload. The old one is served until the new one is issued.
func (m *Manager) renew(sa identity.ServiceAccount) error {
	m.mu.Lock()
	old, issuer, lifetime := m.entries[sa], m.issuer, m.lifetime
	m.mu.Unlock()

	leaf, err := m.issue(issuer, sa, lifetime)
	m.mu.Lock()
	if err != nil {
		old.renewAt, old.failedAt = m.retryTime(), m.options.Now()
		m.mu.Unlock()
		return fmt.Errorf("the certificate of %s, valid until %s, was not renewed: %w", sa, old.leaf.NotAfter.Format(time.RFC3339), err)
	}
	m.entries[sa] = &entry{done: old.done, leaf: leaf, renewAt: m.renewalTime(leaf, issuer)}
	m.mu.Unlock()
	m.options.Rotated(sa)
	return nil
}

// renewalTime returns the time to renew a certificate that was just issued: two thirds of its lifetime, plus or minus 5%.
// It is now if the root or the lifetime changed during issuance. The caller must hold the lock.
func (m *Manager) renewalTime(leaf Certificate, issuer *Issuer) time.Time {
	now := m.options.Now()
	if issuer != m.issuer || leaf.NotAfter.After(now.Add(m.lifetime)) {
		return now
	}
	share := 2.0/3 + (m.options.Jitter()-0.5)/10
	after := time.Duration(share * float64(leaf.NotAfter.Sub(now)))
	return now.Add(max(after, time.Second))
}

// untilNext returns how long Run may sleep.
func (m *Manager) untilNext() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	next := now.Add(time.Hour)
	for _, e := range m.entries {
		if e.issued() && e.renewAt.Before(next) {
			next = e.renewAt
		}
	}
	for _, r := range m.retired {
		if r.until.Before(next) {
			next = r.until
		}
	}
	return max(next.Sub(now), 0)
}
