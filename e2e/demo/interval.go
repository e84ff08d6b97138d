package main

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

// since returns the counters of the time after an earlier reading.
func (c *counters) since(before *counters) *counters {
	interval := &counters{
		buyer: sinceReading(c.buyer, before.buyer), thief: sinceReading(c.thief, before.thief),
		stores: map[string]demo.StoreCounters{}, warehouse: c.warehouse,
	}
	for name, store := range c.stores {
		store.Outcomes = difference(store.Outcomes, before.stores[name].Outcomes)
		interval.stores[name] = store
	}
	interval.warehouse.Session.Queries -= before.warehouse.Session.Queries
	interval.warehouse.Session.Lost -= before.warehouse.Session.Lost
	return interval
}

func sinceReading(now, before demo.Counters) demo.Counters {
	interval := demo.Counters{
		App: now.App, Requests: now.Requests - before.Requests, Outcomes: difference(now.Outcomes, before.Outcomes),
		Paths: map[string]map[string]int{}, Identities: difference(now.Identities, before.Identities), Percent: map[string]float64{},
	}
	for path, outcomes := range now.Paths {
		interval.Paths[path] = difference(outcomes, before.Paths[path])
	}
	books := 0
	for _, n := range interval.Identities {
		books += n
	}
	for identity, n := range interval.Identities {
		interval.Percent[identity] = 100 * float64(n) / float64(max(books, 1))
	}
	return interval
}

func difference(now, before map[string]int) map[string]int {
	changed := map[string]int{}
	for key, n := range now {
		if n != before[key] {
			changed[key] = n - before[key]
		}
	}
	return changed
}

// disturbed returns true if a request of an interval failed for another reason than a policy, or a program restarted in it.
func (c *counters) disturbed() bool {
	all := []map[string]int{c.buyer.Outcomes, c.thief.Outcomes, {"lost": c.warehouse.Session.Lost, "ok": c.warehouse.Session.Queries}}
	for _, store := range c.stores {
		all = append(all, store.Outcomes)
	}
	for _, outcomes := range all {
		for outcome, n := range outcomes {
			byPolicy := outcome == "200" || outcome == "ok" || slices.Contains(denials, outcome)
			if n < 0 || n > 0 && !byPolicy {
				return true
			}
		}
	}
	return false
}
