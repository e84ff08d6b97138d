package status

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// pendingAt returns a Counter of proxies that are pending.
func pendingAt(names ...string) Counter {
	return func(status *Policy) {
		status.Proxies = len(names)
		for _, name := range names {
			status.Pending = append(status.Pending, entity.Name{Namespace: "shop", Name: name})
		}
	}
}

// TestStatusOfAPolicy follows one policy from its change to the last answer.
func TestStatusOfAPolicy(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ref := entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "shop", Name: "t"}}
	policy := &catalog.TrafficTarget{Name: ref.Name}
	p := NewPolicies()
	status := func(count Counter) Policy {
		t.Helper()
		got, err := p.Status(ref, now, count)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	p.RecordGeneration(catalog.Change{Ref: ref, Entry: policy, Generation: 1})
	p.SetChanged([]entity.Ref{ref}, now)
	if _, err := p.Status(ref, now, pendingAt()); !errors.Is(err, ErrUnknownPolicy) || len(p.incomplete) > 0 {
		t.Errorf("before the first change: %v, and %v are incomplete", err, p.incomplete)
	}
	p.RecordChange(catalog.Change{Ref: ref, Entry: policy, Generation: 3})
	p.SetChanged([]entity.Ref{ref}, now)
	if got := status(pendingAt("b", "a", "b")); got.Generation != 3 || !got.ChangedAt.Equal(now) || !got.CompletedAt.IsZero() || got.Proxies != 3 || len(got.Pending) != 2 || got.Pending[0].Name != "a" {
		t.Errorf("after a change: %+v", got)
	}
	p.RecordGeneration(catalog.Change{Ref: ref, Entry: policy, Generation: 4})
	p.RecordGeneration(catalog.Change{Ref: ref, Entry: policy})
	p.RecordGeneration(catalog.Change{Ref: ref, Generation: 5})
	if got := status(pendingAt("a")); got.Generation != 4 {
		t.Errorf("after a generation that modifies nothing: %+v", got)
	}
	changed := now
	now = now.Add(time.Second)
	if p.UpdateCompleted(now, pendingAt("a")); len(p.incomplete) != 1 {
		t.Error("a policy with a pending proxy is complete")
	}
	if p.UpdateCompleted(now, pendingAt()); len(p.incomplete) != 0 {
		t.Error("a policy without a pending proxy is not complete")
	}
	completed := now
	now = now.Add(time.Second)
	for _, count := range []Counter{pendingAt(), pendingAt("later")} {
		if got := status(count); !got.CompletedAt.Equal(completed) || !got.ChangedAt.Equal(changed) {
			t.Errorf("after the last answer: %+v", got)
		}
	}
	p.SetChanged([]entity.Ref{ref}, now)
	p.RecordChange(catalog.Change{Ref: ref})
	if _, err := p.Status(ref, now, pendingAt()); !errors.Is(err, ErrUnknownPolicy) {
		t.Errorf("after its removal: %v", err)
	}
	if p.UpdateCompleted(now, pendingAt()); len(p.incomplete) != 0 {
		t.Error("a policy that was removed is incomplete")
	}
}

// TestNamedPodsAreBounded checks that a status names the first pods.
func TestNamedPodsAreBounded(t *testing.T) {
	ref := entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "shop", Name: "t"}}
	p := NewPolicies()
	p.RecordChange(catalog.Change{Ref: ref, Entry: &catalog.TrafficTarget{}})
	var names []string
	for i := range 2 * maxListedPods {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	slices.Reverse(names)
	got, err := p.Status(ref, time.Unix(1, 0), pendingAt(names...))
	if err != nil || len(got.Pending) != maxListedPods || got.Pending[0].Name != "000" || got.Pending[maxListedPods-1].Name != "019" {
		t.Errorf("%v, %v", got.Pending, err)
	}
}
