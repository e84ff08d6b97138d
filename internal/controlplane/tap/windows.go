package tap

import (
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// MaxPods is how many pods are tapped at once. Others log their share. Whoever may change a pod may tap it.
const MaxPods = 200

// Windows marks pods that are tapped, and changes them again when the time is over. It is safe for concurrent use.
type Windows struct {
	now   func() time.Time
	apply func([]catalog.Change)

	// mu also orders the changes: the end of a tap must not replace a later change of its pod.
	mu   sync.Mutex
	open map[entity.Ref]*window
}

// window is the time in which a pod is tapped.
type window struct{ end *time.Timer }

// New returns Windows that pass changes on. Now is the clock.
func New(now func() time.Time, apply func([]catalog.Change)) *Windows {
	return &Windows{now: now, apply: apply, open: map[entity.Ref]*window{}}
}

// Apply implements feed.Sink.
func (w *Windows) Apply(changes []catalog.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(changes, w.concerns) {
		changes = slices.Clone(changes)
		for i := range changes {
			if w.concerns(changes[i]) {
				changes[i].Entry = w.mark(changes[i])
			}
		}
	}
	w.apply(changes)
}

// concerns reports whether a pod is to be tapped, or is tapped.
func (w *Windows) concerns(c catalog.Change) bool {
	if c.Ref.Kind != entity.KindPod {
		return false
	}
	pod, _ := c.Entry.(*inventory.Instance)
	return w.open[c.Ref] != nil || pod != nil && !pod.TapUntil.IsZero()
}

// mark returns the entry of a pod, which is tapped if its time has not come.
func (w *Windows) mark(c catalog.Change) catalog.Entry {
	if earlier := w.open[c.Ref]; earlier != nil {
		earlier.end.Stop()
		delete(w.open, c.Ref)
	}
	pod, _ := c.Entry.(*inventory.Instance)
	if pod == nil {
		return c.Entry
	}
	left, plain := pod.TapUntil.Sub(w.now()), *pod
	plain.TapUntil = time.Time{} // a later end is no other configuration
	c.Entry = &plain
	if left <= 0 || left > names.MaxTap || len(w.open) >= MaxPods {
		return &plain
	}
	opened := &window{}
	opened.end = time.AfterFunc(left, func() { w.close(opened, c) })
	w.open[c.Ref] = opened
	tapped := plain
	tapped.Tapped = true
	return &tapped
}

// close applies the change of a pod again, without a tap, unless there was another one.
func (w *Windows) close(ended *window, c catalog.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[c.Ref] != ended {
		return
	}
	delete(w.open, c.Ref)
	c.Received = w.now()
	w.apply([]catalog.Change{c})
}
