package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

// minBooks is the number of books the buyer must have bought before the split is printed.
const minBooks = 40

// counters are the counters of the demo's programs.
type counters struct {
	buyer, thief demo.Counters
	stores       map[string]demo.StoreCounters
	warehouse    demo.WarehouseCounters
}

// observe waits until there was enough traffic without a failure, and returns its counters. Failures while the programs start do not count.
func observe(ctx context.Context, cluster *lab.Cluster) (*counters, error) {
	var start, result *counters
	err := lab.Until(ctx, trafficLimit, "traffic of the bookstore without failures", func(ctx context.Context) (bool, string, error) {
		now, err := read(ctx, cluster)
		if err != nil {
			return false, "", err
		}
		if start == nil || now.since(start).disturbed() {
			start = now
		}
		result = now.since(start)
		observed := fmt.Sprintf("bookbuyer %v, bookthief %v, bookwarehouse %d books since the last failure; %v and %v since the start",
			result.buyer.Outcomes, result.thief.Outcomes, now.warehouse.Total, now.buyer.Outcomes, now.thief.Outcomes)
		return result.buyer.Outcomes["200"] >= minBooks && result.thief.Requests > 0 && now.warehouse.Total > 0, observed, nil
	})
	return result, err
}

func read(ctx context.Context, cluster *lab.Cluster) (*counters, error) {
	now := &counters{stores: map[string]demo.StoreCounters{}}
	for app, into := range map[string]any{"bookbuyer": &now.buyer, "bookthief": &now.thief, "bookwarehouse": &now.warehouse} {
		if err := fetch(ctx, cluster, app, "app", app, into); err != nil {
			return nil, err
		}
	}
	for _, version := range []string{"v1", "v2"} {
		var store demo.StoreCounters
		if err := fetch(ctx, cluster, "bookstore", "version", version, &store); err != nil {
			return nil, err
		}
		now.stores["bookstore-"+version] = store
	}
	return now, nil
}

// fetch reads /counters of a pod through a forwarded port.
func fetch(ctx context.Context, cluster *lab.Cluster, namespace, label, value string, into any) error {
	pod, err := cluster.Pod(ctx, namespace, label, value)
	if err != nil {
		return err
	}
	if err := cluster.GetJSON(ctx, namespace, pod.Name, demo.Port, "/counters", into); err != nil {
		return fmt.Errorf("counters of %s/%s: %w", namespace, pod.Name, err)
	}
	return nil
}

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
