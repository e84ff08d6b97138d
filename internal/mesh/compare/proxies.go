package compare

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Proxies are the sidecars of one workload with the same update.
type Proxies struct {
	// Workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`
	Sidecars int    `json:"sidecars"`
	// State is changed, added for new sidecars, or removed.
	State Action `json:"state"`
	// Resources counts resources by type (CDS, LDS, ...). It is empty for removed sidecars.
	Resources Counts `json:"resources,omitzero"`
	// Bytes is the size of the update of each sidecar.
	Bytes int `json:"bytes"`
}

// Counts are numbers of resources by type.
type Counts struct {
	Added   map[string]int `json:"added,omitempty"`
	Changed map[string]int `json:"changed,omitempty"`
	Removed map[string]int `json:"removed,omitempty"`
}

// Any returns true if any resource is counted.
func (c Counts) Any() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) > 0 }

// comparison compares the configuration of sidecars.
type comparison struct {
	before, after *side
	touched       map[entity.Dep]bool
	// sharedDiffers is true if the shared destinations change.
	sharedDiffers bool
	results       map[transition]difference
}

// transition is the change of a sidecar between two scopes.
type transition struct{ from, to scope.Key }

type difference struct {
	counts Counts
	bytes  int
}

// sidecars returns the scope keys of all sidecars of a mesh.
func sidecars(l Mesh) map[entity.Name]scope.Key {
	view := l.Catalog.View()
	keys := map[entity.Name]scope.Key{}
	for _, entry := range l.Entries {
		if pod, ok := entry.(*inventory.Instance); ok && !pod.Finished && view.IsServed(pod) {
			keys[pod.Name] = scope.KeyFor(view, pod)
		}
	}
	return keys
}

// proxies returns the sidecars whose configuration changes, and the number of all sidecars.
func (c *comparison) proxies(before, after Mesh, workloads map[entity.Name]string) (list []Proxies, all int, err error) {
	affectable, narrow := candidates(c.touched, before, after)
	old := sidecars(before)
	current := old
	if !narrow {
		current = sidecars(after)
	}
	c.filter(old, current, func(k scope.Key) bool { return !narrow || affectable[k.Identity] })
	groups := map[string]*Proxies{}
	count := func(pod entity.Name, state Action, d difference) {
		p := Proxies{Workload: workloads[pod], State: state, Resources: d.counts, Bytes: d.bytes}
		id := p.Workload + "|" + string(state) + "|" + d.counts.text()
		if groups[id] == nil {
			groups[id] = &p
		}
		groups[id].Sidecars++
	}
	for pod, to := range current {
		from, existed := old[pod]
		d, err := c.difference(transition{from, to}, existed)
		if err != nil {
			return nil, 0, err
		}
		if !existed {
			count(pod, Added, d)
		} else if d.counts.Any() {
			count(pod, Changed, d)
		}
	}
	for pod := range old {
		if _, left := current[pod]; !left {
			count(pod, Removed, difference{})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		list = append(list, *groups[id])
	}
	return list, len(current), nil
}

// filter records the scopes that the edit does not affect. It evaluates the scopes in parallel. The work only reads.
func (c *comparison) filter(old, current map[entity.Name]scope.Key, mayAffect func(scope.Key) bool) {
	same := map[scope.Key]bool{}
	for pod, to := range current {
		if from, existed := old[pod]; existed && from == to {
			same[to] = true
		}
	}
	keys := slices.Collect(maps.Keys(same))
	affected := make([]bool, len(keys))
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(keys); i += workers {
				affected[i] = mayAffect(keys[i]) && c.affected(c.before.build(keys[i]))
			}
		})
	}
	group.Wait()
	for i, k := range keys {
		if !affected[i] {
			c.results[transition{k, k}] = difference{}
		}
	}
}

// difference returns the update of a sidecar. It is computed once per transition.
func (c *comparison) difference(m transition, existed bool) (difference, error) {
	if !existed {
		m.from = scope.Key{}
	}
	if d, done := c.results[m]; done {
		return d, nil
	}
	d, err := c.compare(m, existed)
	c.results[m] = d
	return d, err
}

func (c *comparison) compare(m transition, existed bool) (difference, error) {
	if !existed {
		held, err := c.after.contentsOf(c.after.build(m.to))
		return changesOf(nil, held), err
	}
	from, to := c.before.build(m.from), c.after.build(m.to)
	held, err := c.before.contentsOf(from)
	if err != nil {
		return difference{}, err
	}
	updated, err := c.after.contentsOf(to)
	return changesOf(held, updated), err
}

// affected returns true if a scope or its endpoints depend on anything that the edit changes.
func (c *comparison) affected(b built) bool {
	if b.usesShared && c.sharedDiffers {
		return true
	}
	if slices.ContainsFunc(b.deps, func(dep entity.Dep) bool { return c.touched[dep] }) {
		return true
	}
	return slices.ContainsFunc(b.Clusters, func(cluster scope.Cluster) bool {
		return c.touched[entity.DepEndpoints.Of(cluster.Service)] ||
			c.touched[entity.DepService.Of(cluster.Service)]
	})
}

// changesOf returns the update between two configurations. Endpoints of a changed cluster are sent again, because Envoy waits for them.
func changesOf(before, after contents) difference {
	d := difference{counts: Counts{Added: map[string]int{}, Changed: map[string]int{}, Removed: map[string]int{}}}
	for id, c := range after {
		old, held := before[id]
		again := false
		if id.kind == resourcetype.Endpoints {
			cluster := resource{resourcetype.Clusters, id.name}
			again = before[cluster].hash != after[cluster].hash
		}
		switch {
		case !held:
			d.counts.Added[id.kind.String()]++
		case old.hash != c.hash || again:
			d.counts.Changed[id.kind.String()]++
		default:
			continue
		}
		d.bytes += c.size
	}
	if inbound := (resource{resourcetype.Listeners, envoy.InboundListener}); before[inbound].hash == after[inbound].hash && losesPrincipal(before, after) {
		d.counts.Changed[resourcetype.Listeners.String()]++
		d.bytes += after[inbound].size
	}
	for id := range before {
		if _, left := after[id]; !left {
			d.counts.Removed[id.kind.String()]++
			d.bytes += len(id.name)
		}
	}
	return d
}

// text returns equal text for equal counts.
func (c Counts) text() string {
	return strings.Join([]string{CountsText(c.Added), CountsText(c.Changed), CountsText(c.Removed)}, "|")
}

// CountsText formats numbers by type in the order in which types are sent.
func CountsText(counts map[string]int) string {
	var parts []string
	for _, kind := range resourcetype.AllTypes() {
		if n := counts[kind.String()]; n > 0 {
			parts = append(parts, kind.String()+" "+strconv.Itoa(n))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

// losesPrincipal reports whether a client of a TCP port loses its permission. The sidecar is then sent its inbound listener with another drain mark.
func losesPrincipal(before, after contents) bool {
	for id, c := range after {
		if held, both := before[id]; both && envoy.LosesPrincipal(held.principals, c.principals, envoy.EveryPrincipal) {
			return true
		}
	}
	return false
}
