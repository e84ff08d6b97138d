package restart

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// recordedEvent is an Event as it was recorded.
type recordedEvent struct {
	kind, namespace, name, eventType, reason, note string
	uid                                            types.UID
	isRelated                                      bool
}

// eventList is an EventRecorder that keeps all Events.
type eventList struct {
	mu  sync.Mutex
	all []recordedEvent
}

// Eventf implements events.EventRecorder.
func (l *eventList) Eventf(regarding, related runtime.Object, eventType, reason, _, note string, args ...any) {
	e := recordedEvent{eventType: eventType, reason: reason, note: fmt.Sprintf(note, args...)}
	switch object := regarding.(type) {
	case *v1alpha1.Mesh:
		e.kind, e.name, e.uid = "Mesh", object.Name, object.UID
	case *corev1.ObjectReference:
		e.kind, e.namespace, e.name, e.uid = object.Kind, object.Namespace, object.Name, object.UID
	}
	_, e.isRelated = related.(*v1alpha1.Mesh)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

// count counts Events by the kind of their object and their reason.
func (l *eventList) count() map[string]int {
	counts := map[string]int{}
	for _, e := range l.all {
		counts[e.kind+" "+e.reason]++
	}
	return counts
}

// fleet is a mesh with 500 workloads of two pods each.
type fleet struct {
	*fixture
	events *eventList
}

func newFleet() fleet {
	f := fleet{newFixture(), &eventList{}}
	f.recorder = f.events
	return f
}

const fleetSize = 500

// upgrade upgrades all workloads in place, ten at a time: each pod gets its image, and then its other slot.
func (f fleet) upgrade(t *testing.T, target string) {
	t.Helper()
	for first := 0; first < fleetSize; first += 10 {
		var pods []rollout.PodPatch
		for i := first; i < first+10; i++ {
			for _, pod := range []string{"a", "b"} {
				patch := slotPatch(fmt.Sprintf("w%03d-%s", i, pod), false)
				patch.Workload.Name = fmt.Sprintf("w%03d", i)
				pods = append(pods, patch)
			}
		}
		wave := rollout.Wave{Target: target, Patches: pods}
		for i := first + 10; i < fleetSize; i++ {
			wave.Waiting = append(wave.Waiting, rollout.Note{Ref: ref(fmt.Sprintf("w%03d", i))})
		}
		f.patch(t, wave)
		f.patch(t, rollout.Wave{Target: target, Align: pods})
	}
}

func (f fleet) patch(t *testing.T, wave rollout.Wave) {
	t.Helper()
	if _, err := f.PatchSlots(t.Context(), f.mesh, wave); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * time.Second)
}

// TestAnUpgradeOfManyPodsHasFewEvents has an Event for each workload, where its owner looks, until there are enough. The Mesh has none about pods.
func TestAnUpgradeOfManyPodsHasFewEvents(t *testing.T) {
	f := newFleet()
	f.mesh.Status.Proxies = &v1alpha1.ProxyCounts{Outdated: 800}
	f.upgrade(t, "v2")
	if len(f.plane.patched) != 4*fleetSize {
		t.Fatalf("%d slots were changed", len(f.plane.patched))
	}
	counts := f.events.count()
	if n := len(f.events.all); n >= 200 || n < 50 || counts["Mesh EventsLimited"] != 1 || counts["Deployment UpgradeBegun"] != n-1 {
		t.Fatalf("an upgrade of 1,000 pods has %d Events: %v", n, counts)
	}
	first, last := f.events.all[0], f.events.all[len(f.events.all)-1]
	if first.kind != "Deployment" || first.namespace != "shop" || first.name != "w000" || first.uid != "uid of w000" || !first.isRelated {
		t.Errorf("the first Event is %+v", first)
	}
	if words := fmt.Sprintf("%d workloads", fleetSize-counts["Deployment UpgradeBegun"]); !strings.Contains(last.note, words) ||
		!strings.Contains(last.note, "800") || !strings.Contains(last.note, "status.proxies") {
		t.Errorf("the Event on the Mesh is %q, want the words %q", last.note, words)
	}
	before := len(f.events.all)
	f.upgrade(t, "v3")
	if n := len(f.events.all) - before; n >= 200 || n < 50 {
		t.Errorf("the next upgrade has %d Events", n)
	}
}

// TestAWorkloadIsReportedOnceForAnUpgradeInPlace also when its pods follow in several passes, and their other slots later.
func TestAWorkloadIsReportedOnceForAnUpgradeInPlace(t *testing.T) {
	f := newFleet()
	for range 3 {
		f.patch(t, rollout.Wave{Target: "v2", Patches: []rollout.PodPatch{slotPatch("web", false)}, Align: []rollout.PodPatch{slotPatch("cart", false)}})
	}
	if len(f.events.all) != 1 || f.events.all[0].name != "web" || f.events.all[0].reason != "UpgradeBegun" {
		t.Errorf("the Events are %+v", f.events.all)
	}
}

// TestWarningsHaveTheirOwnLimit has a slot that gets its image back after many workloads were reported.
func TestWarningsHaveTheirOwnLimit(t *testing.T) {
	f := newFleet()
	f.upgrade(t, "v2")
	before := len(f.events.all)
	for i := range fleetSize {
		back := slotPatch(fmt.Sprintf("w%03d-a", i), false)
		back.TakesBack, back.Image = "envoy:2", "envoy:1"
		f.patch(t, rollout.Wave{Target: "v2", TakeBacks: []rollout.PodPatch{back}})
	}
	if n := len(f.events.all); n >= 200 {
		t.Errorf("there are %d Events", n)
	}
	after := f.events.all[before:]
	if len(after) < 10 || after[0].kind != "Pod" || after[0].name != "w000-a" || after[0].uid != "w000-a" || after[0].eventType != corev1.EventTypeWarning || !after[0].isRelated {
		t.Errorf("the Events about images that slots get back begin with %+v", after[:min(1, len(after))])
	}
}

// TestRestartsAreReportedOnWorkloads has one Event for each, and none on the Mesh.
func TestRestartsAreReportedOnWorkloads(t *testing.T) {
	f := newFleet()
	f.run(t, "v2", "cart", "desk")
	f.plane.answers["mail"] = fmt.Errorf("frozen")
	f.run(t, "v2", "mail")
	slices.SortFunc(f.events.all, func(a, b recordedEvent) int { return cmp.Compare(a.name, b.name) })
	for i, want := range []recordedEvent{
		{name: "cart", reason: "Restarted", eventType: corev1.EventTypeNormal},
		{name: "desk", reason: "Restarted", eventType: corev1.EventTypeNormal},
		{name: "mail", reason: "RestartDenied", eventType: corev1.EventTypeWarning},
	} {
		got := f.events.all[i]
		if got.kind != "Deployment" || got.name != want.name || got.reason != want.reason || got.eventType != want.eventType || !got.isRelated {
			t.Errorf("an Event is %+v, want %+v", got, want)
		}
	}
}

// TestEventsResumeAfterAWhile has a change of many pods for the same revision, hours later: the Events of the first one have expired.
func TestEventsResumeAfterAWhile(t *testing.T) {
	f := newFleet()
	f.upgrade(t, "v2")
	before := len(f.events.all)
	f.now = f.now.Add(2 * time.Hour)
	f.upgrade(t, "v2")
	if n := len(f.events.all) - before; n != before {
		t.Errorf("the second change has %d Events, and the first one %d", n, before)
	}
}
