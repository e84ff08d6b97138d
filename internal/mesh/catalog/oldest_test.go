package catalog

import (
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

var (
	shop  = entity.Name{Namespace: "bookstore", Name: "bookstore"}
	early = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func filled(entries ...Entry) *Catalog {
	c := New()
	for _, e := range entries {
		c.Apply([]Change{Set(e)})
	}
	return c
}

func TestNamespaceOverridesPermissiveMode(t *testing.T) {
	yes, no := true, false
	c := filled(&Settings{Permissive: true}, &Namespace{Name: "strict", Monitored: true, Permissive: &no}, &Namespace{Name: "plain", Monitored: true})
	if c.View().Permissive("strict") || !c.View().Permissive("plain") || !c.View().Permissive("unknown") {
		t.Error("in a permissive mesh only the namespace with a negative override is strict")
	}
	affected := c.Apply([]Change{Set(&Settings{}), Set(&Namespace{Name: "plain", Monitored: true, Permissive: &yes})})
	if c.View().Permissive("strict") || !c.View().Permissive("plain") {
		t.Error("in a strict mesh only the namespace with a positive override is permissive")
	}
	if !slices.Contains(affected, entity.DepPermissive.In("plain")) {
		t.Errorf("a namespace's override affected only %v", affected)
	}
}

func TestMatchingSplitsAreSeparate(t *testing.T) {
	split := func(name string, age time.Duration, matches ...string) *TrafficSplit {
		return &TrafficSplit{Name: entity.Name{Namespace: "bookstore", Name: name}, Created: early.Add(age), Root: shop, Matches: matches}
	}
	c := filled(split("all", 0), split("a", 2*time.Hour, "beta"), split("b", time.Hour, "beta"), split("c", time.Hour, "alpha"))
	if got := c.View().Split(shop); got.Name.Name != "all" {
		t.Errorf("the split in force is %s, want all", got.Name.Name)
	}
	var order []string
	for _, s := range c.View().MatchingSplits(shop) {
		order = append(order, s.Name.Name)
	}
	if want := []string{"b", "c", "a"}; !slices.Equal(order, want) {
		t.Errorf("matching splits are %v, want %v", order, want)
	}
}
