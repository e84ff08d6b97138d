package client

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Denials reads the denials of all replicas.
func (c *Client) Denials(ctx context.Context) ([]Answer[report.Denials], error) {
	return ask[report.Denials](ctx, c, report.DenialsPath)
}

// TotalDenials adds the denials of all replicas, sorted like report.Denials. Unknown are the replicas that did not respond.
func TotalDenials(answers []Answer[report.Denials]) (denials []report.Denial, unknown []string) {
	type key struct{ client, workload, service, server, address, side, reason string }
	sums := map[key]report.Denial{}
	for _, answer := range answers {
		if answer.Err != nil {
			unknown = append(unknown, answer.Replica)
			continue
		}
		for _, d := range answer.Value.Denials {
			k := key{d.Client, d.ClientWorkload, d.Service, d.Server, d.Address, d.Side, d.Reason}
			if d.Service != "" || d.Server != "" {
				k.address = "" // the latest one differs
			}
			if before, known := sums[k]; known {
				d = plus(before, d)
			}
			sums[k] = d
		}
	}
	return slices.SortedFunc(maps.Values(sums), compareDenials), unknown
}

// plus adds two denials of the same client and destination.
func plus(a, b report.Denial) report.Denial {
	a.Count, a.Rate, a.AtLeast = a.Count+b.Count, a.Rate+b.Rate, a.AtLeast || b.AtLeast
	if b.Since.Before(a.Since) {
		a.Since = b.Since
	}
	if b.Last.After(a.Last) {
		a.Last = b.Last
	}
	return a
}

func compareDenials(a, b report.Denial) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.ClientWorkload, b.ClientWorkload), cmp.Compare(a.Service, b.Service),
		cmp.Compare(a.Server, b.Server), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Side, b.Side), cmp.Compare(a.Reason, b.Reason))
}
