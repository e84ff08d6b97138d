package dataplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is remembered of clocks that are ahead is forgotten after a day, unless it is still in the future: it would become a new time otherwise.
func TestTimesAreForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		ahead, after time.Duration
		isKept       bool
	}{
		"for a day":                    {time.Hour, forgetAfter, true},
		"for more than a day":          {time.Hour, forgetAfter + time.Second, false},
		"still in the future":          {2 * forgetAfter, forgetAfter + time.Second, true},
		"not in the future any longer": {forgetAfter + time.Second, forgetAfter + time.Second, false},
	} {
		var times skewCorrector
		times.correct("1", "ready", noon.Add(test.ahead), noon)
		now := noon.Add(test.after)
		times.correct("2", "ready", now.Add(time.Hour), now)
		if _, kept := times.seen[timeKey{"1", "ready", noon.Add(test.ahead)}]; kept != test.isKept || len(times.seen) > 2 {
			t.Errorf("%s: the time is kept: %t, want %t", name, kept, test.isKept)
		}
	}
}

// The cache shares its pods: they must not change, and only those with a time in the future are copied.
func TestPodsOfTheCacheAreNotCorrected(t *testing.T) {
	right := pod("web", "new", "", "")
	var times skewCorrector
	if got := times.pod(&right, noon); got != &right {
		t.Error("a pod with the right times is copied")
	}
	later := metav1.NewTime(noon.Add(time.Hour))
	ahead := pod("web", "new", "", "", func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, LastTransitionTime: later})
		p.Status.Conditions[0].LastTransitionTime = later
	})
	before := ahead.DeepCopy()
	got := times.pod(&ahead, noon)
	if diff := cmp.Diff(before, &ahead); diff != "" {
		t.Errorf("the pod of the cache has changed:\n%s", diff)
	}
	if c := got.Status.Conditions; !c[0].LastTransitionTime.Time.Equal(noon) || !c[1].LastTransitionTime.Equal(&later) {
		t.Errorf("the times are %+v, want only the readiness corrected", c)
	}
}

// A restart by an operator whose clock was ahead says nothing about when a workload became ready.
func TestNotBefore(t *testing.T) {
	early, late := noon.Add(-time.Minute), noon.Add(time.Minute)
	for name, test := range map[string]struct{ ready, restarted, want time.Time }{
		"ready after the restart":    {noon, early, noon},
		"ready before the restart":   {early, noon, noon},
		"a restart in the future":    {early, late, early},
		"never ready":                {time.Time{}, early, time.Time{}},
		"ready, and never restarted": {early, time.Time{}, early},
	} {
		if got := notBefore(test.ready, test.restarted, noon); !got.Equal(test.want) {
			t.Errorf("%s: ready since %s, want %s", name, got, test.want)
		}
	}
}
