package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestPoliciesAreNotReplacedByEndpoints changes some policies, and then many endpoints. All traces are sorted by time.
func TestPoliciesAreNotReplacedByEndpoints(t *testing.T) {
	tracer := NewTracer(prometheus.NewRegistry(), nil)
	now := time.Unix(1_800_000_000, 0)
	change := func(kind entity.Kind, name string) {
		ref := entity.Ref{Kind: kind, Name: entity.Name{Namespace: "shop", Name: name}}
		batch := Batch{Changes: []catalog.Change{{Ref: ref}}, QueuedAt: now}
		tracer.Finish(tracer.Begin(batch, now, func(catalog.Change) bool { return true }), now)
	}
	for i := range maxPolicyTraces + 1 {
		change(entity.KindTrafficTarget, fmt.Sprint("t", i))
	}
	change(entity.KindSettings, "")
	for i := range 3 * maxTraces {
		change(entity.KindEndpointSlice, fmt.Sprint("e", i))
	}
	change(entity.KindTrafficTarget, "last")
	list := tracer.List(func(PendingPods) {})
	if len(list) != maxTraces+maxPolicyTraces || list[0].Objects[0].Ref.Name.Name != "last" {
		t.Fatalf("%d traces, the latest is %+v", len(list), list[0])
	}
	policies, settings := 0, 0
	for i, trace := range list {
		if i > 0 && trace.Number >= list[i-1].Number {
			t.Errorf("trace %d is after %d", trace.Number, list[i-1].Number)
		}
		if trace.Objects[0].Ref.Kind != entity.KindEndpointSlice {
			policies++
		}
		if trace.Objects[0].Ref.Kind == entity.KindSettings {
			settings++
		}
	}
	if policies != maxPolicyTraces || settings != 1 {
		t.Errorf("%d traces of policies and settings are kept, want %d", policies, maxPolicyTraces)
	}
}
