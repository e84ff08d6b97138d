package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

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
	if err := fetch(ctx, cluster, "bookbuyer", "bookbuyer", &now.buyer); err != nil {
		return nil, err
	}
	if err := fetch(ctx, cluster, "bookthief", "bookthief", &now.thief); err != nil {
		return nil, err
	}
	for _, version := range []string{"v1", "v2"} {
		var store demo.StoreCounters
		if err := fetchLabelled(ctx, cluster, "bookstore", "version", version, &store); err != nil {
			return nil, err
		}
		now.stores["bookstore-"+version] = store
	}
	return now, fetch(ctx, cluster, "bookwarehouse", "bookwarehouse", &now.warehouse)
}

func fetch(ctx context.Context, cluster *lab.Cluster, namespace, app string, into any) error {
	return fetchLabelled(ctx, cluster, namespace, "app", app, into)
}

// fetchLabelled reads /counters of a pod through a forwarded port.
func fetchLabelled(ctx context.Context, cluster *lab.Cluster, namespace, label, value string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	pod, err := cluster.Pod(ctx, namespace, label, value)
	if err != nil {
		return err
	}
	address, err := cluster.Forward(ctx, namespace, pod.Name, demo.Port)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/counters", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("counters of %s/%s: %w", namespace, pod.Name, err)
	}
	return nil
}
