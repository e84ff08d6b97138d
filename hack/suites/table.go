package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/repo"
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

// slowestShown is the number of packages, and of tests, that printSlowest shows.
const slowestShown = 10

// printSlowest writes the packages and the tests that took longest, without their compilation. Tests of a package may run at the same time.
func printSlowest(w io.Writer, outcomes []outcome) {
	var packages, tests []timed
	for _, o := range outcomes {
		packages, tests = append(packages, o.packages...), append(tests, o.timings...)
	}
	for _, list := range []struct {
		name string
		all  []timed
	}{{"packages", packages}, {"tests", tests}} {
		if len(list.all) > 0 {
			fmt.Fprintf(w, "slowest %s: %s\n", list.name, slowest(list.all))
		}
	}
}

// slowest lists what took longest, without the path of the product.
func slowest(all []timed) string {
	slices.SortStableFunc(all, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	var texts []string
	for _, one := range all[:min(len(all), slowestShown)] {
		texts = append(texts, fmt.Sprintf("%s %.0f s", strings.TrimPrefix(one.name, repo.Module+"/"), one.seconds))
	}
	return strings.Join(texts, ", ")
}

// Limits of the excerpt of a failure.
const (
	excerptLines = 12
	excerptWidth = 240
)

// printFailures writes the start of the output of each test that failed, or failed once. The whole output is above, with its suite.
func printFailures(w io.Writer, outcomes []outcome) {
	for _, o := range outcomes {
		for _, test := range o.failed {
			fmt.Fprintf(w, "failed: %s\n%s\n", test.name, excerpt(test.output))
		}
		for _, test := range o.flaky {
			fmt.Fprintf(w, "flaky, passed when repeated: %s\n%s\n", test.name, excerpt(test.output))
		}
	}
}

// excerpt returns the first lines of an output, without those that only mark the start of a test.
func excerpt(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "=== ") || line == "" {
			continue
		}
		if len(lines) == excerptLines {
			break
		}
		if len(line) > excerptWidth {
			line = line[:excerptWidth] + " ..."
		}
		lines = append(lines, "  "+line)
	}
	return strings.Join(lines, "\n")
}

// lastLine summarizes the whole run.
func lastLine(target string, outcomes []outcome, duration time.Duration) string {
	verdict, ran, tests, failed, flaky := "PASS", 0, 0, "", 0
	for _, o := range outcomes {
		if o.name != prepareName {
			ran++
		}
		tests += o.counts.total()
		flaky += len(o.flaky)
		if o.err != nil {
			verdict = "FAIL"
			failed += " " + o.name
		}
	}
	if failed != "" {
		failed = " (failed:" + failed + ")"
	}
	counted := pluralize(tests, "test")
	if flaky > 0 {
		counted += fmt.Sprintf(" (%d flaky)", flaky)
	}
	return fmt.Sprintf("%s: %s %s, %s, %s%s", target, verdict, pluralize(ran, "suite"), counted, duration.Round(time.Second), failed)
}

// pluralize returns a number with its noun.
func pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
