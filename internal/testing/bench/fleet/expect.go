package fleet

import (
	"sync"
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// expectation holds the resources that a sidecar waits for.
type expectation struct {
	mu sync.Mutex
	// exact are resources that must arrive in this form.
	exact map[*name]uint64
	// missing is the number of resources of each type that must arrive, with any content; all is true while any is missing.
	missing [numKinds]int
	all     bool
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

func (w *Wait) finish() {
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
}

// got records the arrival of a resource.
func (e *expectation) got(n *name, hash uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.touched = true
	if want, ok := e.exact[n]; ok && want == hash {
		delete(e.exact, n)
	}
	if e.all {
		e.missing[n.kind]--
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
	e.wait.finish()
	e.wait, e.all = nil, false
}

// ExpectAll makes every sidecar wait for as many resources of each type as the list has.
func (f *Fleet) ExpectAll(list []mesh.Resource) *Wait {
	var counts [numKinds]int
	for _, r := range list {
		if k, ok := kindOf([]byte(r.TypeURL)); ok {
			counts[k]++
		}
	}
	w := newWait(len(f.sidecars))
	for _, s := range f.sidecars {
		s.expect.mu.Lock()
		s.expect.missing, s.expect.all, s.expect.wait, s.expect.touched = counts, true, w, false
		s.expect.mu.Unlock()
	}
	return w
}

// Expect makes the sidecars of services wait for resources.
func (f *Fleet) Expect(differences map[int][]mesh.Resource) *Wait {
	w := newWait(len(differences) * mesh.PodsPerService)
	for i, s := range f.sidecars {
		list := differences[i/mesh.PodsPerService]
		s.expect.mu.Lock()
		s.expect.touched, s.expect.exact, s.expect.wait = false, map[*name]uint64{}, nil
		for _, r := range list {
			if k, ok := kindOf([]byte(r.TypeURL)); ok {
				s.expect.exact[f.known.name(k, []byte(r.Name))] = r.Hash
			}
		}
		if len(list) > 0 {
			s.expect.wait = w
		}
		s.expect.mu.Unlock()
	}
	return w
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
		waits, missing := s.expect.wait != nil, s.expect.describe()
		s.expect.mu.Unlock()
		if waits {
			return s.id + " waits for" + missing
		}
	}
	return ""
}

func (e *expectation) describe() string {
	text := ""
	for n := range e.exact {
		text += " " + urls[n.kind] + " " + n.text
	}
	for k, n := range e.missing {
		if n > 0 {
			text += " more " + urls[k]
		}
	}
	return text
}
