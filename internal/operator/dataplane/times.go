package dataplane

import (
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// skewCorrector corrects times that other machines have written, if they are in the future of the operator's clock. What they stand for had happened
// when the operator saw them first, so that moment replaces them. Otherwise a node whose clock is an hour ahead would delay an upgrade by an hour. An
// operator that has just started sees everything first, and so waits once more.
type skewCorrector struct {
	mu   sync.Mutex
	seen map[timeKey]time.Time
}

// timeKey is a time of an object. event distinguishes times of one object.
type timeKey struct {
	uid   types.UID
	event string
	at    time.Time
}

// forgetAfter is how long a time is remembered at least. Nothing waits that long.
const forgetAfter = 24 * time.Hour

// correct returns a time, or when it was seen first if it was in the future then.
func (f *skewCorrector) correct(uid types.UID, event string, at, now time.Time) time.Time {
	key := timeKey{uid, event, at.UTC()}
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, known := f.seen[key]; known {
		return first
	}
	if !at.After(now) {
		return at
	}
	if f.seen == nil {
		f.seen = map[timeKey]time.Time{}
	}
	maps.DeleteFunc(f.seen, func(key timeKey, first time.Time) bool { return now.Sub(first) > forgetAfter && !key.at.After(now) })
	f.seen[key] = now
	return now
}

// pod returns a pod with corrected times. It shares memory with the given one, unless a time changes.
func (f *skewCorrector) pod(pod *corev1.Pod, now time.Time) *corev1.Pod {
	corrected := pod
	set := func(event string, at metav1.Time, replace func(*corev1.Pod, metav1.Time)) {
		right := f.correct(pod.UID, event, at.Time, now)
		if right.Equal(at.Time) {
			return
		}
		if corrected == pod {
			corrected = pod.DeepCopy()
		}
		replace(corrected, metav1.NewTime(right))
	}
	for i, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			set("ready", c.LastTransitionTime, func(p *corev1.Pod, at metav1.Time) { p.Status.Conditions[i].LastTransitionTime = at })
		}
	}
	for i, c := range pod.Status.InitContainerStatuses {
		if c.State.Running != nil {
			set(c.Name, c.State.Running.StartedAt, func(p *corev1.Pod, at metav1.Time) { p.Status.InitContainerStatuses[i].State.Running.StartedAt = at })
		}
	}
	return corrected
}

// notBefore returns when a workload became ready, which is not before the operator restarted it, whatever the clock of its nodes says; zero for never. The
// operator that restarted it may have been another one, whose clock was ahead.
func notBefore(ready, restarted, now time.Time) time.Time {
	if !ready.IsZero() && restarted.After(ready) && !restarted.After(now) {
		return restarted
	}
	return ready
}

// slots returns workloads with corrected times of the operator's changes of slots, and of what has started since. It replaces those of the given ones.
func (f *skewCorrector) slots(workloads []rollout.Workload, now time.Time) []rollout.Workload {
	for _, w := range workloads {
		for i, pod := range w.Slotted {
			w.Slotted[i] = pod.NotBefore(f.correct(types.UID(pod.UID), "patched", pod.Patched, now))
		}
	}
	return workloads
}
