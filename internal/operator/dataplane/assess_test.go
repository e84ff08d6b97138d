package dataplane

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Pods on lost nodes cannot be waited for. They do not make more of the others tolerable.
func TestLostPodsAreNotTolerated(t *testing.T) {
	p := progress{complete: true, desired: 10, unavailable: 2}
	if p.isDone(1) {
		t.Error("with one lost pod of ten, another one may be unavailable")
	}
	if p.desired, p.unavailable = 11, 2; !p.isDone(1) {
		t.Error("with one lost pod of eleven, another one may not be unavailable")
	}
	if (podCounts{all: 10, unready: 1, lost: 1}).areReady() || !(podCounts{all: 11, unready: 1, lost: 1}).areReady() {
		t.Error("one pod may be unready if ten are not lost, and none if nine are not")
	}
}

// TestAssess has workloads that are ready, and those that something holds up.
func TestAssess(t *testing.T) {
	ref := rollout.Ref{Kind: "DaemonSet", Namespace: "shop", Name: "x"}
	done := progress{complete: true}
	for name, test := range map[string]struct {
		state state
		pods  podCounts
		want  rollout.Workload
	}{
		"done, with a strategy that holds up updates": {state{progress: done, onDelete: true}, podCounts{all: 2}, rollout.Workload{Ready: true}},
		"not observed":                    {state{unobserved: true}, podCounts{all: 2}, rollout.Workload{Unobserved: true, Held: unobservedText}},
		"not observed, with unready pods": {state{unobserved: true}, podCounts{all: 2, unready: 1}, rollout.Workload{Unobserved: true}},
		"held":                            {state{held: "paused"}, podCounts{all: 2}, rollout.Workload{Held: "paused"}},
		"in the middle":                   {state{}, podCounts{all: 2}, rollout.Workload{}},
	} {
		w := rollout.Workload{Ref: ref}
		observation{states: map[rollout.Ref]state{ref: test.state}}.assess(&w, test.pods)
		if w.Ready != test.want.Ready || w.Unobserved != test.want.Unobserved || w.Held != test.want.Held {
			t.Errorf("%s: ready %t, unobserved %t, held %q; want %t, %t, %q",
				name, w.Ready, w.Unobserved, w.Held, test.want.Ready, test.want.Unobserved, test.want.Held)
		}
	}
}
