package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// printTable writes one row per suite.
func printTable(w io.Writer, outcomes []outcome) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SUITE\tRESULT\tSECONDS\tBUDGET\tPASSED\tFAILED\tSKIPPED")
	for _, o := range outcomes {
		result, passed, failed, skipped := "PASS", "-", "-", "-"
		if o.err != nil {
			result = "FAIL"
		}
		if o.tests {
			passed, failed, skipped = fmt.Sprint(o.counts.passed), fmt.Sprint(o.counts.failed), fmt.Sprint(o.counts.skipped)
		}
		fmt.Fprintf(tw, "%s\t%s\t%.1f\t%.0f\t%s\t%s\t%s\n", o.name, result, o.duration.Seconds(), o.limit.Seconds(), passed, failed, skipped)
	}
	return tw.Flush()
}

// lastLine summarizes the whole run.
func lastLine(target string, outcomes []outcome, duration time.Duration) string {
	verdict, ran, tests, failed := "PASS", 0, 0, ""
	for _, o := range outcomes {
		if o.name != prepareName {
			ran++
		}
		tests += o.counts.total()
		if o.err != nil {
			verdict = "FAIL"
			failed += " " + o.name
		}
	}
	if failed != "" {
		failed = " (failed:" + failed + ")"
	}
	return fmt.Sprintf("%s: %s %s, %s, %s%s", target, verdict, pluralize(ran, "suite"), pluralize(tests, "test"), duration.Round(time.Second), failed)
}

// pluralize returns a number with its noun.
func pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
