package fleet

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// name is the type and name of a resource.
type name struct{ typeURL, text string }

// expectation holds the resources that a sidecar waits for.
type expectation struct {
	mu sync.Mutex
	// exact are resources that must arrive in this form.
	exact map[name]uint64
	// missing is the number of resources of each type that must arrive, with any content.
	missing map[string]int
	// touched is true once any resource has arrived.
	touched bool
	wait    *Wait
}

// Wait waits until sidecars have the expected resources.
type Wait struct {
	left atomic.Int64
	done chan struct{}
}

func newWait(sidecars int) *Wait {
	w := &Wait{done: make(chan struct{})}
	w.left.Store(int64(sidecars))
	if sidecars == 0 {
		close(w.done)
	}
	return w
}

// Done is closed when all sidecars have the expected resources and have acknowledged them.
func (w *Wait) Done() <-chan struct{} { return w.done }

// received records the arrival of resources.
func (e *expectation) received(r *discovery.DeltaDiscoveryResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, resource := range r.GetResources() {
		e.touched = true
		n := name{r.GetTypeUrl(), resource.GetName()}
		if expected, ok := e.exact[n]; ok && expected == mesh.Hash(resource.GetResource().GetValue()) {
			delete(e.exact, n)
		}
		e.missing[n.typeURL]--
	}
}

// acknowledged ends the wait if nothing is missing.
func (e *expectation) acknowledged() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wait == nil || len(e.exact) > 0 {
		return
	}
	for _, n := range e.missing {
		if n > 0 {
			return
		}
	}
	if e.wait.left.Add(-1) == 0 {
		close(e.wait.done)
	}
	e.wait = nil
}

// ExpectAll makes every sidecar wait for as many resources of each type as the list has.
func (f *Fleet) ExpectAll(list []mesh.Resource) *Wait {
	w := newWait(len(f.sidecars))
	for _, s := range f.sidecars {
		missing := map[string]int{}
		for _, r := range list {
			missing[r.TypeURL]++
		}
		s.expect.replace(nil, missing, w)
	}
	return w
}

// Expect makes the sidecars of services wait for resources.
func (f *Fleet) Expect(differences map[int][]mesh.Resource) *Wait {
	w := newWait(len(differences) * mesh.PodsPerService)
	for i, s := range f.sidecars {
		exact := map[name]uint64{}
		for _, r := range differences[i/mesh.PodsPerService] {
			exact[name{r.TypeURL, r.Name}] = r.Hash
		}
		if len(exact) > 0 {
			s.expect.replace(exact, map[string]int{}, w)
		} else {
			s.expect.replace(nil, map[string]int{}, nil)
		}
	}
	return w
}

func (e *expectation) replace(exact map[name]uint64, missing map[string]int, w *Wait) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.exact, e.missing, e.wait, e.touched = exact, missing, w, false
}

// Touched returns the number of sidecars with any response since the last Expect, and of those that did not need one.
func (f *Fleet) Touched(differences map[int][]mesh.Resource) (touched, needlessly int) {
	for i, s := range f.sidecars {
		s.expect.mu.Lock()
		if s.expect.touched {
			touched++
			if len(differences[i/mesh.PodsPerService]) == 0 {
				needlessly++
			}
		}
		s.expect.mu.Unlock()
	}
	return touched, needlessly
}

// Missing describes the missing resources of one sidecar for an error message; it is empty if there are none.
func (f *Fleet) Missing() string {
	for _, s := range f.sidecars {
		s.expect.mu.Lock()
		waits, exact, missing := s.expect.wait != nil, slices.Collect(maps.Keys(s.expect.exact)), maps.Clone(s.expect.missing)
		s.expect.mu.Unlock()
		if waits {
			return fmt.Sprintf("%s waits for %v and these numbers of others: %v", s.id, exact, missing)
		}
	}
	return ""
}
