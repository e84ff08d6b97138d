package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	full := flag.Bool("full", false, "run all tests, as before a release, without the test cache")
	flag.Parse()
	if err := run(ctx, *full, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

// errFailed refers to the printed table for details.
var errFailed = errors.New("some suites failed")

func run(ctx context.Context, full bool, names []string) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	c := checkout{root: root, full: full}
	wanted, err := selectSuites(suites(), names)
	if err != nil {
		return err
	}
	b, err := readBudget(filepath.Join(c.hack(), "budget.yaml"))
	if err != nil {
		return err
	}
	begin := time.Now()
	outcomes := runAll(ctx, c, b, wanted)
	duration := time.Since(begin)
	fmt.Println()
	printFailures(os.Stdout, outcomes)
	if err := printTable(os.Stdout, outcomes); err != nil {
		return err
	}
	printSlowest(os.Stdout, outcomes)
	fmt.Println(lastLine(target(full, names), outcomes, duration))
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return o.err != nil }) {
		return errFailed
	}
	if len(names) > 0 {
		return nil
	}
	return b.exceeded(duration, full)
}

// target returns the name of the run in the last line.
func target(full bool, names []string) string {
	switch {
	case len(names) > 0:
		return strings.Join(names, ", ")
	case full:
		return "make test-full"
	}
	return "make test"
}

// runAll prepares and runs the suites, and stops what the preparation started.
func runAll(ctx context.Context, c checkout, b budget, wanted []suite) []outcome {
	r := runner{checkout: c, budget: b, out: os.Stdout, now: time.Now}
	p := &preparation{checkout: c, out: os.Stdout, tried: map[need]error{}}
	defer p.stop()
	prepared := r.runLimited(ctx, prepareName, func(ctx context.Context, _ *outcome) error { return p.fulfil(ctx, wanted) })
	outcomes := []outcome{prepared}
	r.env = append(p.env, c.env()...)
	for _, s := range wanted {
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
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var chosen []suite
	for _, s := range all {
		if wanted[s.name] {
			chosen = append(chosen, s)
			delete(wanted, s.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no suite %q: the suites are %s", name, strings.Join(suiteNames(), ", "))
	}
	return chosen, nil
}
