package certificate

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Info describes a workload's certificate without its private key.
type Info struct {
	Workload identity.ServiceAccount
	// ChainPEM is the certificate, followed by those of its issuers.
	ChainPEM []byte
	NotAfter time.Time
	// Generation is the generation of the root that issued it.
	Generation string
	// RenewAt is the time of the next renewal.
	RenewAt time.Time
}

// List returns all certificates of the Manager, sorted by workload.
func (m *Manager) List() []Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Info
	for sa, e := range m.entries {
		if e.issued() {
			list = append(list, Info{sa, e.leaf.ChainPEM, e.leaf.NotAfter, e.leaf.Generation, e.renewAt})
		}
	}
	slices.SortFunc(list, func(a, b Info) int { return a.Workload.Compare(b.Workload) })
	return list
}
