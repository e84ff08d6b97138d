package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
)

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
	trace, err := tour.FindTrace(ctx, cluster, time.Now().Add(-tracesSince))
	if err != nil {
		return err
	}
	p.printf(`
Trace %s has %d spans of %s.

  the page of the mesh  go run ./cmd/osm dashboard mesh               http://localhost:9080
  the trace             go run ./cmd/osm dashboard jaeger -b=false    http://localhost:16686/%s%s
  Prometheus            go run ./cmd/osm dashboard prometheus         http://localhost:7070%s`,
		trace.ID, len(trace.Spans), strings.Join(trace.Services(), ", "), tracePath(), trace.ID, queryPath())
	return nil
}

// tracePath is the path of traces. The servers that are built for the local cluster have APIs and no web pages.
func tracePath() string {
	if lab.IsCurrent() {
		return "trace/"
	}
	return "api/traces/"
}

// queryPath is the path of an example for Prometheus.
func queryPath() string {
	if lab.IsCurrent() {
		return "/query"
	}
	return "/api/v1/query?query=up"
}

// printAnswer prints a line for each series: its labels, sorted, and its value.
func printAnswer(p *progress, answer model.Vector) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	for _, sample := range answer {
		fmt.Fprintf(w, "    %s\t%.2f\n", sample.Metric, float64(sample.Value))
	}
	return w.Flush()
}
