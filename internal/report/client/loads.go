package client

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/report"
)

// Changes asks every replica for the latest changes that it has taken in.
func (c *Client) Changes(ctx context.Context) ([]Answer[report.Changes], error) {
	return ask[report.Changes](ctx, c, report.ChangesPath)
}

// Loads asks every replica for what its sidecars have sent, and so makes the sidecars report: the first answers are empty, and the
// next ones, 5 to 10 seconds later, are not.
func (c *Client) Loads(ctx context.Context) ([]Answer[report.Loads], error) {
	return ask[report.Loads](ctx, c, report.LoadsPath)
}

// LoadSum is what the sidecars of a mesh have sent.
type LoadSum struct {
	// Sidecars and Reporting are those of the replicas that answered.
	Sidecars, Reporting int
	// Loads are sorted by client and cluster. Rate is the sum of the replicas', and Seconds the shortest of theirs.
	Loads []report.Load
	// Unknown are the replicas that did not answer: what their sidecars send is not in Loads, and not 0.
	Unknown []string
}

// Complete says whether every sidecar has reported.
func (s LoadSum) Complete() bool { return len(s.Unknown) == 0 && s.Reporting == s.Sidecars }

// TotalLoads adds up what replicas say about loads. A client whose sidecars are connected to several replicas appears once.
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
