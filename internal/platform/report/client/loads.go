package client

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Changes reads the latest changes of all replicas.
func (c *Client) Changes(ctx context.Context) ([]Answer[report.Changes], error) {
	return ask[report.Changes](ctx, c, report.ChangesPath)
}

// Loads reads the load reports of all replicas. Reading enables load reporting: the first result is empty, and results are available 5 to
// 10 seconds later.
func (c *Client) Loads(ctx context.Context) ([]Answer[report.Loads], error) {
	return ask[report.Loads](ctx, c, report.LoadsPath)
}

// LoadSum is the sum of the load reports of a mesh.
type LoadSum struct {
	// Sidecars and Reporting only count sidecars of replicas that responded.
	Sidecars, Reporting int
	// Loads are sorted by client and cluster. Rate is the sum over replicas, Seconds the minimum.
	Loads []report.Load
	// Unknown are the replicas that did not respond. Their loads are missing in Loads.
	Unknown []string
}

// Complete returns true if every sidecar has reported.
func (s LoadSum) Complete() bool { return len(s.Unknown) == 0 && s.Reporting == s.Sidecars }

// TotalLoads adds the load reports of all replicas. A client with sidecars on several replicas appears once.
func TotalLoads(answers []Answer[report.Loads]) LoadSum {
	var sum LoadSum
	type key struct{ client, cluster string }
	all := map[key]report.Load{}
	for _, answer := range answers {
		if answer.Err != nil {
			sum.Unknown = append(sum.Unknown, answer.Replica)
			continue
		}
		sum.Sidecars += answer.Value.Sidecars
		sum.Reporting += answer.Value.Reporting
		for _, load := range answer.Value.Loads {
			k := key{load.Client, load.Cluster}
			before, known := all[k]
			if known {
				load.Issued += before.Issued
				load.Succeeded += before.Succeeded
				load.Failed += before.Failed
				load.Rate += before.Rate
				load.Seconds = min(load.Seconds, before.Seconds)
			}
			load.Recent = nil // intervals of different clocks
			all[k] = load
		}
	}
	sum.Loads = slices.SortedFunc(maps.Values(all), func(a, b report.Load) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Cluster, b.Cluster))
	})
	return sum
}
