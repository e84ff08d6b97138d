package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

// row is one line of the table: who called whom, how it went, and why.
type row struct {
	from, to, request string
	outcomes          map[string]int
	because           string
}

// show prints what happened and which policy decided it.
func show(ctx context.Context, p *progress, cluster *lab.Cluster) error {
	counted, err := observe(ctx, cluster)
	if err != nil {
		return err
	}
	policies, err := readPolicies(ctx, cluster)
	if err != nil {
		return err
	}
	p.say("")
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tREQUEST\tVERDICT\tHOW IT WENT\tBY")
	for _, r := range rows(counted, policies) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.from, r.to, r.request, verdict(r.outcomes), counts(r.outcomes), r.because)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	p.say("\nTrafficSplit bookstore/bookstore-split: %s", shares(counted.buyer))
	return nil
}

func rows(c *counters, policies *policies) []row {
	var list []row
	for _, path := range slices.Sorted(maps.Keys(c.buyer.Paths)) {
		list = append(list, row{
			"bookbuyer", "bookstore", "GET " + path, c.buyer.Paths[path],
			policies.because("bookbuyer/bookbuyer", "bookstore/bookstore-v1", "bookstore/bookstore-v2"),
		})
	}
	for _, path := range slices.Sorted(maps.Keys(c.thief.Paths)) {
		list = append(list, row{
			"bookthief", "bookstore", "GET " + path, c.thief.Paths[path],
			policies.because("bookthief/bookthief", "bookstore/bookstore-v1", "bookstore/bookstore-v2"),
		})
	}
	for _, store := range slices.Sorted(maps.Keys(c.stores)) {
		list = append(list, row{
			store, "bookwarehouse", "POST " + demo.PathRestock, c.stores[store].Outcomes,
			policies.because("bookstore/"+store, "bookwarehouse/bookwarehouse"),
		})
	}
	session := map[string]int{"ok": c.warehouse.Session.Queries, "lost": c.warehouse.Session.Lost}
	return append(list, row{
		"bookwarehouse", "mysql", "TCP 3306", session,
		policies.because("bookwarehouse/bookwarehouse", "bookwarehouse/mysql"),
	})
}

// denials are the outcomes that a policy gives to whom it does not let in.
var denials = []string{"403", "404", "refused", "reset"}

// verdict is what the policies did. Failures of the applications themselves, such as 503 while a database starts, are none.
func verdict(outcomes map[string]int) string {
	allowed, denied := outcomes["200"]+outcomes["ok"], 0
	for _, outcome := range denials {
		denied += outcomes[outcome]
	}
	switch {
	case allowed > 0 && denied > 0:
		return "changed meanwhile"
	case allowed > 0:
		return "allowed"
	case denied > 0:
		return "denied"
	default:
		return "no traffic"
	}
}

func counts(outcomes map[string]int) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		if outcomes[outcome] > 0 {
			parts = append(parts, fmt.Sprintf("%s ×%d", outcome, outcomes[outcome]))
		}
	}
	return strings.Join(parts, ", ")
}

func shares(c demo.Counters) string {
	var parts []string
	for _, identity := range slices.Sorted(maps.Keys(c.Percent)) {
		parts = append(parts, fmt.Sprintf("%s got %d of the bookbuyer's books (%.0f%%)", identity, c.Identities[identity], c.Percent[identity]))
	}
	return strings.Join(parts, ", ")
}
