package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	full := flag.Bool("full", false, "run all tests, as before a release, without the test cache")
	changed := flag.Bool("changed", false, "run the linters, and the unit tests that the changes can affect")
	since := flag.String("since", "", "with -changed: the commit to compare with; by default the one where the branch left main, or the earlier one on main")
	flag.Parse()
	entrypoint.Main("suites", func(ctx context.Context) error {
		return run(ctx, options{full: *full, changed: *changed, since: *since, names: flag.Args()})
	})
}

// errFailed refers to the printed table for details.
var errFailed = errors.New("some suites failed")

// options are what the command line selects.
type options struct {
	full, changed bool
	since         string
	names         []string
}

func run(ctx context.Context, o options) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	c := checkout{root: root, full: o.full}
	chosen, err := choose(ctx, c, o)
	if err != nil {
		return err
	}
	b, err := readBudget(filepath.Join(c.hack(), "budget.yaml"))
	if err != nil {
		return err
	}
	begin := time.Now()
	outcomes := runAll(ctx, c, b, chosen)
	duration := time.Since(begin)
	fmt.Println()
	printFailures(os.Stdout, outcomes)
	if err := printTable(os.Stdout, outcomes); err != nil {
		return err
	}
	printSlowest(os.Stdout, outcomes)
	fmt.Println(lastLine(target(o), outcomes, duration))
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return o.err != nil }) {
		return errFailed
	}
	if o.changed || len(o.names) > 0 {
		return nil
	}
	return b.exceeded(duration, o.full)
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
	case o.full:
		return "make test-full"
	}
	return "make test"
}

// runAll prepares and runs the suites, and stops what the preparation started.
func runAll(ctx context.Context, c checkout, b budget, chosen []suite) []outcome {
	r := runner{checkout: c, budget: b, out: os.Stdout, now: time.Now}
	p := &preparation{checkout: c, out: os.Stdout, tried: map[need]error{}}
	defer p.stop()
	prepared := r.runLimited(ctx, prepareName, func(ctx context.Context, _ *outcome) error { return p.fulfil(ctx, chosen) })
	outcomes := []outcome{prepared}
	r.env = append(p.env, c.env()...)
	for _, s := range chosen {
		if ctx.Err() != nil {
			break
		}
		outcomes = append(outcomes, r.run(ctx, s, p.missing(s)))
	}
	return outcomes
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
