package catalog

import (
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var (
	shop  = Name{Namespace: "bookstore", Name: "bookstore"}
	buyer = identity.ServiceAccount{Namespace: "bookbuyer", Name: "bookbuyer"}
	early = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func setting(kind Kind, name string, created time.Time) *UpstreamTrafficSetting {
	return &UpstreamTrafficSetting{Kind: kind, Name: Name{Namespace: "bookstore", Name: name}, Created: created, Service: shop}
}

func filled(entries ...Entry) *Catalog {
	c := New()
	for _, e := range entries {
		c.Apply([]Change{Set(e)})
	}
	return c
}

func TestOldestUpstreamSettingIsInForce(t *testing.T) {
	c := filled(
		setting(KindUpstreamTrafficSetting, "a-newer", early.Add(time.Hour)),
		setting(KindUpstreamTrafficSetting, "c", early),
		setting(KindUpstreamTrafficSetting, "b", early),
		setting(KindBackpressure, "b", early.Add(-time.Hour)),
	)
	want := []struct {
		kind Kind
		name string
	}{{KindUpstreamTrafficSetting, "b"}, {KindUpstreamTrafficSetting, "c"}, {KindUpstreamTrafficSetting, "a-newer"}, {KindBackpressure, "b"}}
	for _, w := range want {
		got := c.View().UpstreamSetting(shop)
		if got == nil || got.Kind != w.kind || got.Name.Name != w.name {
			t.Fatalf("in force is %+v, want %s %s", got, w.kind, w.name)
		}
		affected := c.Apply([]Change{{Ref: got.Ref()}})
		if !slices.Contains(affected, Dep{DepUpstreamSetting, shop}) {
			t.Fatalf("removing %s affected %v", w.name, affected)
		}
	}
	if got := c.View().UpstreamSetting(shop); got != nil {
		t.Fatalf("nothing is left, but %+v is in force", got)
	}
}

func TestExcludedSettingIsNotInForce(t *testing.T) {
	old := setting(KindUpstreamTrafficSetting, "old", early)
	c := filled(old, setting(KindUpstreamTrafficSetting, "new", early.Add(time.Hour)))
	v := c.ViewWithout(map[Ref]struct{}{old.Ref(): {}})
	if got := v.UpstreamSetting(shop); got == nil || got.Name.Name != "new" {
		t.Fatalf("without the oldest, %+v is in force", got)
	}
}

func TestRetryByClientAndService(t *testing.T) {
	retry := &Retry{Name: Name{Namespace: buyer.Namespace, Name: "r"}, Source: buyer, Destinations: []Name{shop}}
	c := filled(retry)
	if c.View().Retry(buyer, shop) != retry {
		t.Error("the client's Retry is not found")
	}
	if c.View().Retry(buyer, Name{Namespace: "bookstore", Name: "other"}) != nil {
		t.Error("another Service has the Retry too")
	}
	if c.View().Retry(identity.ServiceAccount{Namespace: "bookbuyer", Name: "thief"}, shop) != nil {
		t.Error("another client has the Retry too")
	}
	v := c.View()
	v.Retry(buyer, shop)
	if got := c.Policies(v.Deps()); !slices.Equal(got, []Ref{retry.Ref()}) {
		t.Errorf("policies of the view are %v, want the Retry", got)
	}
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
	if !slices.Contains(affected, Dep{DepPermissive, Name{Namespace: "plain"}}) {
		t.Errorf("a namespace's override affected only %v", affected)
	}
}

func TestMatchingSplitsAreSeparate(t *testing.T) {
	split := func(name string, age time.Duration, matches ...string) *TrafficSplit {
		return &TrafficSplit{Name: Name{Namespace: "bookstore", Name: name}, Created: early.Add(age), Root: shop, Matches: matches}
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
