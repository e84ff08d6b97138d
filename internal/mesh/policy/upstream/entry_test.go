package upstream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

var (
	shop  = entity.Name{Namespace: "bookstore", Name: "bookstore"}
	early = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func setting(kind entity.Kind, name string, created time.Time) *upstream.Policy {
	return &upstream.Policy{Kind: kind, Name: entity.Name{Namespace: "bookstore", Name: name}, Created: created, Service: shop}
}

// TestOldestUpstreamSettingIsInForce removes the setting in force, until none is left.
func TestOldestUpstreamSettingIsInForce(t *testing.T) {
	c := meshtest.Apply(
		setting(upstream.Kind, "a-newer", early.Add(time.Hour)),
		setting(upstream.Kind, "c", early),
		setting(upstream.Kind, "b", early),
		setting(upstream.Backpressure, "b", early.Add(-time.Hour)),
	)
	want := []struct {
		kind entity.Kind
		name string
	}{{upstream.Kind, "b"}, {upstream.Kind, "c"}, {upstream.Kind, "a-newer"}, {upstream.Backpressure, "b"}}
	for _, w := range want {
		got := upstream.InForce(c.View(), shop)
		if got == nil || got.Kind != w.kind || got.Name.Name != w.name {
			t.Fatalf("in force is %+v, want %s %s", got, w.kind, w.name)
		}
		affected := c.Apply([]catalog.Change{{Ref: got.Ref()}})
		if !slices.Contains(affected, entity.DepUpstreamSetting.Of(shop)) {
			t.Fatalf("removing %s affected %v", w.name, affected)
		}
	}
	if got := upstream.InForce(c.View(), shop); got != nil {
		t.Fatalf("nothing is left, but %+v is in force", got)
	}
}

// TestExcludedSettingIsNotInForce excludes the setting in force.
func TestExcludedSettingIsNotInForce(t *testing.T) {
	old := setting(upstream.Kind, "old", early)
	c := meshtest.Apply(old, setting(upstream.Kind, "new", early.Add(time.Hour)))
	v := c.ViewWithout(map[entity.Ref]struct{}{old.Ref(): {}})
	if got := upstream.InForce(v, shop); got == nil || got.Name.Name != "new" {
		t.Fatalf("without the oldest, %+v is in force", got)
	}
}
