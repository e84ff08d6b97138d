package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	full := flag.Bool("full", false, "run all tests, as before a release, without the test cache")
	changed := flag.Bool("changed", false, "run the linters, and the unit tests that the changes can affect")
	since := flag.String("since", "", "with -changed: the commit to compare with; by default the one where the branch left main, or the earlier one on main")
	part := flag.String("shard", "", "run one part of all tests, such as 2/6; all parts together are the whole run")
	whole := flag.Bool("whole", false, "run nothing, and say whether the recorded parts add up to a whole run")
	flag.Parse()
	entrypoint.Main("suites", func(ctx context.Context) error {
		return run(ctx, options{full: *full, changed: *changed, since: *since, shard: *part, whole: *whole, names: flag.Args()})
	})
}

// errFailed refers to the printed table for details.
var errFailed = errors.New("some suites failed")

// options are what the command line selects.
type options struct {
	full, changed, whole bool
	since, shard         string
	names                []string
}

func run(ctx context.Context, o options) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	c := checkout{root: root, full: o.full, seed: seedOf(ctx, root, seededFolders())}
	b, err := readBudget(filepath.Join(c.hack(), "budget.yaml"))
	if err != nil {
		return err
	}
	if o.whole {
		return reportWhole(ctx, c, b, os.Stdout)
	}
	chosen, err := choose(ctx, c, o)
	if err != nil {
		return err
	}
	part, err := parseShard(o.shard)
	if err != nil {
		return err
	}
	if chosen, err = part.divide(c, chosen, b); err != nil {
		return err
	}
	commit := commitOf(ctx, root)
	begin := time.Now()
	outcomes := runAll(ctx, c, b, chosen)
	duration := time.Since(begin)
	if err := printOutcomes(os.Stdout, target(o), outcomes, duration); err != nil {
		return err
	}
	if o.shard != "" {
		fmt.Printf("commit %s\n", commit)
	}
	if o.full && o.shard != "" && len(o.names) == 0 && ctx.Err() == nil {
		units, err := unitNames(c, chosen, b)
		if err != nil {
			return err
		}
		file, err := recordsFile()
		if err != nil {
			return err
		}
		if err := writeRecord(file, recordOf(o.shard, commit, outcomes, units, duration, begin)); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return o.err != nil }) {
		return errFailed
	}
	if o.changed || len(o.names) > 0 {
		return nil
	}
	return b.exceeded(duration, o.full, o.shard != "")
}

// printOutcomes writes the failures, a table, and one line about the whole run.
func printOutcomes(w io.Writer, target string, outcomes []outcome, duration time.Duration) error {
	fmt.Fprintln(w)
	printFailures(w, outcomes)
	if err := printTable(w, outcomes); err != nil {
		return err
	}
	printSlowest(w, outcomes)
	fmt.Fprintln(w, lastLine(target, outcomes, duration))
	return nil
}

// choose returns the suites that the options select.
func choose(ctx context.Context, c checkout, o options) ([]suite, error) {
	if !o.changed {
		return selectSuites(suites(), o.names)
	}
	return changedSuites(ctx, c, cmp.Or(o.since, forkPoint(ctx, c.root)), os.Stdout)
}

// target returns the name of the run in the last line.
func target(o options) string {
	switch {
	case o.changed:
		return "make check"
	case len(o.names) > 0:
		return strings.Join(o.names, ", ")
	case o.full && o.shard != "":
		return "make test-full SHARD=" + o.shard
	case o.full:
		return "make test-full"
	}
	return "make test"
}

// runAll prepares and runs the suites, and stops what the preparation started.
func runAll(ctx context.Context, c checkout, b budget, chosen []suite) []outcome {
	out := &lockedWriter{to: os.Stdout}
	r := runner{checkout: c, budget: b, out: out, now: time.Now}
	p := &preparation{checkout: c, out: out, tried: map[need]error{}}
	defer p.stop()
	prepared := r.runLimited(ctx, prepareName, func(ctx context.Context, _ *outcome) error { return p.fulfil(ctx, chosen) })
	r.env = append(p.env, c.env()...)
	return append([]outcome{prepared}, r.runRounds(ctx, rounds(chosen, c.full), p.missing)...)
}

// selectSuites returns the named suites in their fixed order, or all suites without names.
func selectSuites(all []suite, names []string) ([]suite, error) {
	if len(names) == 0 {
		return all, nil
	}
	desired := map[string]bool{}
	for _, name := range names {
		desired[name] = true
	}
	var chosen []suite
	for _, s := range all {
		if desired[s.name] {
			chosen = append(chosen, s)
			delete(desired, s.name)
		}
	}
	for name := range desired {
		return nil, fmt.Errorf("there is no suite %q: the suites are %s", name, strings.Join(suiteNames(), ", "))
	}
	return chosen, nil
}

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
