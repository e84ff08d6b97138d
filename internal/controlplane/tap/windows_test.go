package tap

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// record has the pods that are tapped after all changes.
type record struct {
	mu     sync.Mutex
	tapped map[entity.Ref]bool
}

func newRecord() *record { return &record{tapped: map[entity.Ref]bool{}} }

func (r *record) apply(changes []catalog.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if pod, _ := c.Entry.(*inventory.Instance); pod != nil && pod.Tapped {
			r.tapped[c.Ref] = true
		} else {
			delete(r.tapped, c.Ref)
		}
	}
}

// count returns how many pods are tapped.
func (r *record) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tapped)
}

func tappedFor(name string, left time.Duration) catalog.Change {
	pod := Pod("shop", name, "web", "web", "10.0.0.1")
	pod.TapUntil = time.Now().Add(left)
	return catalog.Set(pod)
}

// TestATapEnds checks how long a pod is tapped, by what its last change says.
func TestATapEnds(t *testing.T) {
	untapped := catalog.Set(Pod("shop", "web-1", "web", "web", "10.0.0.1"))
	for name, c := range map[string]struct {
		// later is a change after a minute.
		first, later func() catalog.Change
		// tapped are the minutes at whose middle the pod is tapped.
		tapped []int
	}{
		"two minutes":       {first: func() catalog.Change { return tappedFor("web-1", 2*time.Minute) }, tapped: []int{0, 1}},
		"the past":          {first: func() catalog.Change { return tappedFor("web-1", -time.Minute) }},
		"now":               {first: func() catalog.Change { return tappedFor("web-1", 0) }},
		"too long":          {first: func() catalog.Change { return tappedFor("web-1", names.MaxTap+time.Second) }},
		"never":             {first: func() catalog.Change { return untapped }},
		"renewed":           {first: func() catalog.Change { return tappedFor("web-1", 2*time.Minute) }, later: func() catalog.Change { return tappedFor("web-1", 3*time.Minute) }, tapped: []int{0, 1, 2, 3}},
		"taken back":        {first: func() catalog.Change { return tappedFor("web-1", 5*time.Minute) }, later: func() catalog.Change { return untapped }, tapped: []int{0}},
		"the pod is gone":   {first: func() catalog.Change { return tappedFor("web-1", 5*time.Minute) }, later: func() catalog.Change { return catalog.Change{Ref: untapped.Ref} }, tapped: []int{0}},
		"too long at last":  {first: func() catalog.Change { return tappedFor("web-1", 5*time.Minute) }, later: func() catalog.Change { return tappedFor("web-1", time.Hour) }, tapped: []int{0}},
		"tapped by a later": {first: func() catalog.Change { return untapped }, later: func() catalog.Change { return tappedFor("web-1", time.Minute) }, tapped: []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := newRecord()
				windows := New(time.Now, got.apply)
				windows.Apply([]catalog.Change{c.first()})
				var tapped []int
				for minute := range 12 {
					if minute == 1 && c.later != nil {
						windows.Apply([]catalog.Change{c.later()})
					}
					time.Sleep(30 * time.Second)
					synctest.Wait()
					if got.count() > 0 {
						tapped = append(tapped, minute)
					}
					time.Sleep(30 * time.Second)
				}
				if !slices.Equal(tapped, c.tapped) {
					t.Errorf("the pod is tapped in the minutes %v, want %v", tapped, c.tapped)
				}
				if len(windows.open) > 0 {
					t.Errorf("%d windows are left", len(windows.open))
				}
			})
		})
	}
}

// TestTapsAreBounded checks that pods beyond a number are not tapped, and that there is room again after the end of others.
func TestTapsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := newRecord()
		windows := New(time.Now, got.apply)
		for i := range MaxPods + 10 {
			windows.Apply([]catalog.Change{tappedFor(fmt.Sprintf("web-%d", i), time.Minute)})
		}
		if n := got.count(); n != MaxPods {
			t.Errorf("%d pods are tapped, want %d", n, MaxPods)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		windows.Apply([]catalog.Change{tappedFor("late", time.Minute)})
		if n := got.count(); n != 1 {
			t.Errorf("%d pods are tapped after the end of the others, want 1", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
	})
}

// TestOtherChangesPass checks that the entries of others are passed on as they are.
func TestOtherChangesPass(t *testing.T) {
	var got []catalog.Change
	windows := New(time.Now, func(changes []catalog.Change) { got = changes })
	changes := []catalog.Change{catalog.Set(Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)), catalog.Set(Pod("shop", "web-1", "web", "web", "10.0.0.1"))}
	windows.Apply(changes)
	if len(got) != 2 || got[0].Entry != changes[0].Entry || got[1].Entry != changes[1].Entry {
		t.Errorf("the changes are %v, want %v", got, changes)
	}
}
