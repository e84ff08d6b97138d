package plan

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Proxies are the sidecars of one workload, which would all be told the same.
type Proxies struct {
	// Workload is "<kind> <namespace>/<name>".
	Workload string `json:"workload"`
	Sidecars int    `json:"sidecars"`
	// State is changed, added for sidecars that do not exist yet, or removed.
	State Action `json:"state"`
	// Resources are numbers of resources by their type (CDS, LDS ...); none of a sidecar that would be gone.
	Resources Counts `json:"resources,omitzero"`
	// Bytes is what each of the sidecars would be sent.
	Bytes int `json:"bytes"`
}

// Counts are numbers of resources by type.
type Counts struct {
	Added   map[string]int `json:"added,omitempty"`
	Changed map[string]int `json:"changed,omitempty"`
	Removed map[string]int `json:"removed,omitempty"`
}

// Any says whether there is anything to count.
func (c Counts) Any() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) > 0 }

// comparison compares what sidecars would be told.
type comparison struct {
	before, after *side
	touched       map[catalog.Dep]bool
	// commonDiffers is true when the destinations that clients share are others than before.
	commonDiffers bool
	results       map[move]difference
}

// move is the way of a sidecar from one scope to another.
type move struct{ from, to scope.Key }

type difference struct {
	counts Counts
	bytes  int
}

// sidecars are the keys of the scopes of all sidecars of a mesh.
func sidecars(l Mesh) map[catalog.Name]scope.Key {
	view := l.Catalog.View()
	keys := map[catalog.Name]scope.Key{}
	for _, entry := range l.Entries {
		if pod, ok := entry.(*catalog.Pod); ok && pod.Injected && !pod.Finished && view.InMesh(pod.Name.Namespace) {
			keys[pod.Name] = scope.KeyFor(view, pod)
		}
	}
	return keys
}

// proxies finds the sidecars that would be told something else, and how many there would be. workloads are those of all pods.
func (c *comparison) proxies(before, after Mesh, workloads map[catalog.Name]string) (list []Proxies, all int, err error) {
	may, narrow := candidates(c.touched, before, after)
	old := sidecars(before)
	current := old
	if !narrow {
		current = sidecars(after)
	}
	c.filter(old, current, func(k scope.Key) bool { return !narrow || may[k.Identity] })
	groups := map[string]*Proxies{}
	count := func(pod catalog.Name, state Action, d difference) {
		p := Proxies{Workload: workloads[pod], State: state, Resources: d.counts, Bytes: d.bytes}
		id := p.Workload + "|" + string(state) + "|" + d.counts.text()
		if groups[id] == nil {
			groups[id] = &p
		}
		groups[id].Sidecars++
	}
	for pod, to := range current {
		from, existed := old[pod]
		d, err := c.difference(move{from, to}, existed)
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

// filter notes which sidecars the edit does not concern; may says which it may. That is most of the work, so several goroutines
// share it: they only read.
func (c *comparison) filter(old, current map[catalog.Name]scope.Key, may func(scope.Key) bool) {
	same := map[scope.Key]bool{}
	for pod, to := range current {
		if from, existed := old[pod]; existed && from == to {
			same[to] = true
		}
	}
	keys := slices.Collect(maps.Keys(same))
	concerned := make([]bool, len(keys))
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(keys); i += workers {
				concerned[i] = may(keys[i]) && c.concerned(c.before.build(keys[i]))
			}
		})
	}
	group.Wait()
	for i, k := range keys {
		if !concerned[i] {
			c.results[move{k, k}] = difference{}
		}
	}
}

// difference is what a sidecar would be told. It is worked out once for all sidecars that make the same move.
func (c *comparison) difference(m move, existed bool) (difference, error) {
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

func (c *comparison) compare(m move, existed bool) (difference, error) {
	if !existed {
		held, err := c.after.contentsOf(c.after.build(m.to))
		return changesOf(nil, held), err
	}
	was, is := c.before.build(m.from), c.after.build(m.to)
	scope.CarryDrainMarks(was.Scope, is.Scope)
	held, err := c.before.contentsOf(was)
	if err != nil {
		return difference{}, err
	}
	next, err := c.after.contentsOf(is)
	return changesOf(held, next), err
}

// concerned says whether a scope, or the endpoints that go with it, was made of anything that the edit touches.
func (c *comparison) concerned(b built) bool {
	if b.sharing && c.commonDiffers {
		return true
	}
	if slices.ContainsFunc(b.reads, func(dep catalog.Dep) bool { return c.touched[dep] }) {
		return true
	}
	return slices.ContainsFunc(b.Clusters, func(cluster scope.Cluster) bool {
		return c.touched[catalog.Dep{Kind: catalog.DepEndpoints, Name: cluster.Service}] ||
			c.touched[catalog.Dep{Kind: catalog.DepService, Name: cluster.Service}]
	})
}

// changesOf is what leads from one configuration to another. The endpoints of a cluster that changes are sent again, because
// Envoy waits for them.
func changesOf(before, after contents) difference {
	d := difference{counts: Counts{Added: map[string]int{}, Changed: map[string]int{}, Removed: map[string]int{}}}
	for id, c := range after {
		old, held := before[id]
		again := false
		if id.kind == snapshot.Endpoints {
			cluster := resource{snapshot.Clusters, id.name}
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
	for id := range before {
		if _, left := after[id]; !left {
			d.counts.Removed[id.kind.String()]++
			d.bytes += len(id.name)
		}
	}
	return d
}

// text is the same for equal counts.
func (c Counts) text() string {
	return strings.Join([]string{CountsText(c.Added), CountsText(c.Changed), CountsText(c.Removed)}, "|")
}

// CountsText lists numbers by type in the order in which sidecars are sent the types.
func CountsText(counts map[string]int) string {
	var parts []string
	for _, kind := range snapshot.AllTypes() {
		if n := counts[kind.String()]; n > 0 {
			parts = append(parts, kind.String()+" "+itoa(n))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}
