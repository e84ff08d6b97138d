package restart

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

const (
	// maxNormal and maxWarnings are how many Events of these types a mesh has for a target. An upgrade of a large mesh would otherwise push the Events of
	// others out of what people can read and the API server keeps.
	maxNormal, maxWarnings = 100, 50
	// eventsExpire is how long API servers keep Events by default. After such a time without any, the limits apply anew.
	eventsExpire = time.Hour
)

// eventKey is what an Event is about: a workload, or one pod of it. Repeated Events with one key become one series, which counts once.
type eventKey struct {
	workload    rollout.Ref
	pod, reason string
}

// eventLimits limits the Events about workloads and pods.
type eventLimits struct {
	now func() time.Time

	mu     sync.Mutex
	counts map[types.UID]*eventCount
}

// eventCount has the Events of a mesh for a target.
type eventCount struct {
	target string
	// latest is when an Event was recorded last, or omitted.
	latest   time.Time
	recorded map[eventKey]bool
	// byType counts what is recorded. omitted is true for types with omitted Events.
	byType  map[string]int
	omitted map[string]bool
}

func newEventLimits(now func() time.Time) *eventLimits {
	return &eventLimits{now: now, counts: map[types.UID]*eventCount{}}
}

// maxEvents is how many Events of a type a mesh has for a target.
func maxEvents(eventType string) int {
	if eventType == corev1.EventTypeWarning {
		return maxWarnings
	}
	return maxNormal
}

// count returns what a mesh has for a target. The mutex must be locked.
func (l *eventLimits) count(mesh types.UID, target string) *eventCount {
	now, c := l.now(), l.counts[mesh]
	if c == nil || c.target != target || now.Sub(c.latest) > eventsExpire {
		c = &eventCount{target: target, recorded: map[eventKey]bool{}, byType: map[string]int{}, omitted: map[string]bool{}}
		l.counts[mesh] = c
	}
	c.latest = now
	return c
}

// take counts an Event. It returns whether the Event is recorded, or the first one of its type that is omitted.
func (l *eventLimits) take(mesh types.UID, target, eventType string, key eventKey) (isRecorded, isFirstOmitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.count(mesh, target)
	switch {
	case c.recorded[key]:
		return true, false
	case c.byType[eventType] >= maxEvents(eventType):
		isFirstOmitted = !c.omitted[eventType]
		c.omitted[eventType] = true
		return false, isFirstOmitted
	}
	c.recorded[key] = true
	c.byType[eventType]++
	return true, false
}

// has reports whether there is an Event.
func (l *eventLimits) has(mesh types.UID, target string, key eventKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count(mesh, target).recorded[key]
}

// without counts the workloads without an Event.
func (l *eventLimits) without(mesh types.UID, target string, workloads []rollout.Ref) int {
	missing := map[rollout.Ref]bool{}
	for _, ref := range workloads {
		missing[ref] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.count(mesh, target).recorded {
		delete(missing, key.workload)
	}
	return len(missing)
}

func (l *eventLimits) forget(mesh types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.counts, mesh)
}
