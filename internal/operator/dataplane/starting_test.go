package dataplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

func TestIsStarting(t *testing.T) {
	created := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(noon.Add(-age)) }
	}
	readyFor := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(-age)) }
	}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	for name, c := range map[string]struct {
		change   []func(*corev1.Pod)
		starting bool
	}{
		"new and not ready":                 {[]func(*corev1.Pod){created(time.Second), unready}, true},
		"new and just ready":                {[]func(*corev1.Pod){created(8 * time.Second), readyFor(2 * time.Second)}, true},
		"new and ready for long enough":     {[]func(*corev1.Pod){created(8 * time.Second), readyFor(5 * time.Second)}, false},
		"old and not ready":                 {[]func(*corev1.Pod){created(time.Minute), unready}, false},
		"old and just ready again":          {[]func(*corev1.Pod){created(time.Hour), readyFor(time.Second)}, false},
		"not ready just before the timeout": {[]func(*corev1.Pod){created(29 * time.Second), unready}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod("web", "new", "", "", c.change...)
			if got := isStarting(&p, noon); got != c.starting {
				t.Errorf("isStarting = %t, want %t", got, c.starting)
			}
		})
	}
	s := observation{now: noon, pods: []corev1.Pod{
		pod("web-1", "new", "Job", "web", created(time.Hour)), pod("web-2", "new", "Job", "web", created(time.Second), unready),
		pod("web-3", "old", "Job", "web", created(time.Hour)),
	}}
	list := s.workloads()
	if len(list) != 1 {
		t.Fatalf("workloads: %+v, want one", list)
	}
	want := rollout.Workload{Sidecars: map[string]int{"new": 2, "old": 1}, Starting: map[string]int{"new": 1}}
	if diff := cmp.Diff(want, rollout.Workload{Sidecars: list[0].Sidecars, Starting: list[0].Starting}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
