package certificate

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

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
