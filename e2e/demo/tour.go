package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
)

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
Open it at http://localhost:16686/trace/%s while this command runs: go run ./cmd/osm dashboard jaeger
Open Prometheus at http://localhost:7070 while this command runs:   go run ./cmd/osm dashboard prometheus`,
		trace.ID, len(trace.Spans), strings.Join(trace.Services(), ", "), trace.ID)
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
