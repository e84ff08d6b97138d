package mesh

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// Toggles is the number of steps of Toggle after which a service is restored.
const Toggles = 8

// Toggle returns one step of changes that cancel each other out: each service in turn loses and regains an endpoint, its rules
// change and change back, and a grant and another service are added and removed. Growth over many steps is a leak.
func (m *Mesh) Toggle(n int) []catalog.Change {
	i := n / Toggles * stride % m.Services
	entries := func() []catalog.Entry {
		switch n % Toggles {
		case 0:
			return []catalog.Entry{m.slice(i, PodsPerService-1)}
		case 1:
			return []catalog.Entry{m.slice(i, PodsPerService)}
		case 2, 3:
			return []catalog.Entry{rules(i, 3-n%Toggles)}
		case 4, 5:
			return []catalog.Entry{m.grant(i, 0).Changes[0].Entry}
		}
		extra := m.Services + i
		return append(m.service(extra), rules(extra, 0), m.target(extra))
	}()
	changes := make([]catalog.Change, len(entries))
	for at, entry := range entries {
		changes[at] = catalog.Set(entry)
		if step := n % Toggles; step == 5 || step == 7 {
			changes[at] = catalog.Change{Ref: entry.Ref()}
		}
	}
	return changes
}
