package certificate

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Issued is a workload's certificate as anybody may see it: without its key.
type Issued struct {
	Workload identity.ServiceAccount
	// ChainPEM is the certificate, followed by those of its issuers.
	ChainPEM []byte
	NotAfter time.Time
	// Generation is that of the root that issued it.
	Generation string
	// RenewAt is when it will be replaced.
	RenewAt time.Time
}

// List is every certificate that is kept, sorted by workload.
func (m *Manager) List() []Issued {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Issued
	for sa, e := range m.entries {
		if e.issued() {
			list = append(list, Issued{sa, e.leaf.ChainPEM, e.leaf.NotAfter, e.leaf.Generation, e.renewAt})
		}
	}
	slices.SortFunc(list, func(a, b Issued) int { return a.Workload.Compare(b.Workload) })
	return list
}
