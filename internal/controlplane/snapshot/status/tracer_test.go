package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestPoliciesAreNotReplacedByEndpoints changes some policies, and then many endpoints. All traces are sorted by time.
func TestPoliciesAreNotReplacedByEndpoints(t *testing.T) {
	tracer := NewTracer(prometheus.NewRegistry(), nil)
	now := time.Unix(1_800_000_000, 0)
	change := func(kind catalog.Kind, name string) {
		ref := catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: "shop", Name: name}}
		batch := Batch{Changes: []catalog.Change{{Ref: ref}}, QueuedAt: now}
		tracer.Finish(tracer.Begin(batch, now, func(catalog.Change) bool { return true }), now)
	}
	for i := range maxPolicyTraces + 1 {
		change(catalog.KindTrafficTarget, fmt.Sprint("t", i))
	}
	change(catalog.KindSettings, "")
	for i := range 3 * maxTraces {
		change(catalog.KindEndpointSlice, fmt.Sprint("e", i))
	}
	change(catalog.KindTrafficTarget, "last")
	list := tracer.List(func(PendingPods) {})
	if len(list) != maxTraces+maxPolicyTraces || list[0].Objects[0].Ref.Name.Name != "last" {
		t.Fatalf("%d traces, the latest is %+v", len(list), list[0])
	}
	policies, settings := 0, 0
	for i, trace := range list {
		if i > 0 && trace.Number >= list[i-1].Number {
			t.Errorf("trace %d is after %d", trace.Number, list[i-1].Number)
		}
		if trace.Objects[0].Ref.Kind != catalog.KindEndpointSlice {
			policies++
		}
		if trace.Objects[0].Ref.Kind == catalog.KindSettings {
			settings++
		}
	}
	if policies != maxPolicyTraces || settings != 1 {
		t.Errorf("%d traces of policies and settings are kept, want %d", policies, maxPolicyTraces)
	}
}
