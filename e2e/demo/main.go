package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

// row is one line of the table: client, server, request, outcomes and deciding policies.
type row struct {
	from, to, request string
	outcomes          map[string]int
	reason            string
}

// show prints the observed traffic and the policies that decided it.
func show(ctx context.Context, p *progress, cluster *lab.Cluster) error {
	observed, err := observe(ctx, cluster)
	if err != nil {
		return err
	}
	policies, err := readPolicies(ctx, cluster)
	if err != nil {
		return err
	}
	p.printf("")
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tREQUEST\tVERDICT\tOUTCOMES\tDECIDED BY")
	for _, r := range rows(observed, policies) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.from, r.to, r.request, verdict(r.outcomes), counts(r.outcomes), r.reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	p.printf("\nTrafficSplit bookstore/bookstore-split: %s", shares(observed.buyer))
	return nil
}

func rows(c *counters, policies *policyView) []row {
	var list []row
	for _, client := range []struct {
		name  string
		paths map[string]map[string]int
	}{{"bookbuyer", c.buyer.Paths}, {"bookthief", c.thief.Paths}} {
		for _, path := range slices.Sorted(maps.Keys(client.paths)) {
			list = append(list, row{
				client.name, "bookstore", "GET " + path, client.paths[path],
				policies.reason(client.name+"/"+client.name, "bookstore/bookstore-v1", "bookstore/bookstore-v2"),
			})
		}
	}
	for _, store := range slices.Sorted(maps.Keys(c.stores)) {
		list = append(list, row{
			store, "bookwarehouse", "POST " + demo.PathRestock, c.stores[store].Outcomes,
			policies.reason("bookstore/"+store, "bookwarehouse/bookwarehouse"),
		})
	}
	session := map[string]int{"ok": c.warehouse.Session.Queries, "lost": c.warehouse.Session.Lost}
	return append(list, row{
		"bookwarehouse", "mysql", "TCP 3306", session,
		policies.reason("bookwarehouse/bookwarehouse", "bookwarehouse/mysql"),
	})
}

// denials are the outcomes of a denial by policy.
var denials = []string{"403", "404", "refused", "reset"}

// verdict summarizes the effect of the policies. Failures of the applications, such as 503 while a database starts, do
// not count.
func verdict(outcomes map[string]int) string {
	allowed, denied := outcomes["200"]+outcomes["ok"], 0
	for _, outcome := range denials {
		denied += outcomes[outcome]
	}
	switch {
	case allowed > 0 && denied > 0:
		return "changed during the run"
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
		parts = append(parts, fmt.Sprintf("%s sold %d of the bookbuyer's books (%.0f%%)", identity, c.Identities[identity], c.Percent[identity]))
	}
	return strings.Join(parts, ", ")
}

// progress prints progress lines with the time since the start.
type progress struct {
	out   io.Writer
	start time.Time
	// steps are the steps of this run, in order.
	steps []step
}

func newProgress(out io.Writer) *progress { return &progress{out: out, start: time.Now()} }

// begin prints which step begins, what it does and how long it usually takes.
func (p *progress) begin(s step) {
	p.printf("[%4.0fs] step %d of %d, %s: %s (usually %s)", time.Since(p.start).Seconds(), slices.Index(p.steps, s)+1, len(p.steps), s.name, s.does, s.usual)
}

func (p *progress) printf(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "demo", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(
		upCommand(),
		&cobra.Command{Use: "report", Short: "show the table again", Args: cobra.NoArgs, RunE: run(reportAgain)},
		&cobra.Command{Use: "down", Short: "remove the demo", Args: cobra.NoArgs, RunE: run(down)},
	)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func upCommand() *cobra.Command {
	var with string
	var o options
	cmd := &cobra.Command{Use: "up", Short: "start the demo and show the table", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&with, "with", "", "observability adds Prometheus and Jaeger, and a tour of them")
	cmd.Flags().StringVar(&o.registry, "registry", "", "registry, with an optional path, of the project's images; only with CLUSTER=current")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "install into the current cluster without a question; only with CLUSTER=current")
	cmd.RunE = run(func(ctx context.Context, p *progress) error {
		if with != "" && with != withObservability {
			return fmt.Errorf("unknown WITH=%s: use %s", with, withObservability)
		}
		o.observed = with == withObservability
		if !lab.IsCurrent() && o.registry != "" {
			return errors.New("REGISTRY has no effect on the local cluster, which loads the images that it builds: add CLUSTER=current, or omit it")
		}
		return up(ctx, p, o)
	})
	return cmd
}

func run(f func(context.Context, *progress) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		return f(cmd.Context(), newProgress(cmd.OutOrStdout()))
	}
}

// tracesSince is how far back a trace may have begun.
const tracesSince = time.Hour

// showTour prints what Prometheus and Jaeger have recorded.
func showTour(ctx context.Context, p *progress, cluster *lab.Cluster) error {
	server, err := tour.OpenServer(ctx, cluster)
	if err != nil {
		return err
	}
	for _, query := range tour.Queries() {
		answer, err := server.Await(ctx, query.PromQL, 1)
		if err != nil {
			return err
		}
		p.printf("\n%s\n  %s", query.Question, query.PromQL)
		if err := printAnswer(p, answer); err != nil {
			return err
		}
	}
	// The servers that are built for the local cluster have APIs and no web pages.
	tracePath, queryPath := "api/traces/", "/api/v1/query?query=up"
	if lab.IsCurrent() {
		tracePath, queryPath = "trace/", "/query"
	}
	trace, err := tour.FindTrace(ctx, cluster, time.Now().Add(-tracesSince))
	if err != nil {
		return err
	}
	p.printf(`
Trace %s has %d spans of %s.

  the page of the mesh  bin/osm dashboard mesh               http://localhost:9080
  the trace             bin/osm dashboard jaeger -b=false    http://localhost:16686/%s%s
  Prometheus            bin/osm dashboard prometheus         http://localhost:7070%s`,
		trace.ID, len(trace.Spans), strings.Join(trace.Services(), ", "), tracePath, trace.ID, queryPath)
	return nil
}

// printAnswer prints a line for each series: its labels, sorted, and its value.
func printAnswer(p *progress, answer model.Vector) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	for _, sample := range answer {
		fmt.Fprintf(w, "    %s\t%.2f\n", sample.Metric, float64(sample.Value))
	}
	return w.Flush()
}
