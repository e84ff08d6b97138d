package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/report"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/largemesh"
)

// options are the flags.
type options struct {
	full, check, record bool
	only                string
	sizes               string
	variants            string
	out, baseline       string
	profiles            string
	renewal, flood      bool
	endToEnd, cold      bool
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if slices.Contains(os.Args[1:], serveFlag) {
		if err := server.Run(context.Background(), os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	var o options
	flag.BoolVar(&o.full, "full", false, "measure meshes of 100, 500, 1000 and 2000 sidecars, as for docs/performance.md; takes about half an hour")
	flag.BoolVar(&o.check, "check", false, "fail when a ratio is worse than in the baseline by more than 30%")
	flag.BoolVar(&o.record, "record", false, "make this run's ratios the baseline")
	flag.StringVar(&o.only, "only", "", "measure one mode only: policy or visible")
	flag.StringVar(&o.sizes, "sizes", "", "measure these numbers of sidecars instead, separated by commas")
	flag.StringVar(&o.variants, "variants", "", "measure only control planes whose names contain one of these words, separated by commas")
	flag.StringVar(&o.out, "out", "bin/bench", "write the results to this file, with .json added")
	flag.StringVar(&o.baseline, "baseline", "internal/testing/bench/baseline.json", "the file with the ratios of an earlier short run")
	flag.StringVar(&o.profiles, "profiles", "", "write CPU profiles of our control plane into this folder")
	flag.BoolVar(&o.renewal, "renewal", false, "measure only the renewal of 2,000 certificates at once")
	flag.BoolVar(&o.flood, "flood", false, "measure only changes and new sidecars while clients without credentials open as many connections as they can")
	flag.BoolVar(&o.endToEnd, "endtoend", false, "measure changes from a real API server to the sidecars of the real osm-controller; KUBEBUILDER_ASSETS names its programs")
	flag.BoolVar(&o.cold, "coldstart", false, "measure the start of the real osm-controller with a real API server, for -sizes pods; KUBEBUILDER_ASSETS names its programs")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(o options, out io.Writer) error {
	if o.flood {
		return o.measureFloods(out)
	}
	if o.renewal {
		return o.renewals(out)
	}
	if o.endToEnd {
		return o.endToEnds(out)
	}
	if o.cold {
		return o.coldStart(out)
	}
	if o.everything() {
		// Before this process is kept on one core: the command line has all of them.
		if err := largemesh.Table(context.Background(), out); err != nil {
			return err
		}
	}
	results, err := o.results()
	if err != nil {
		return err
	}
	results.AddSlopes()
	if err := results.Table(out, string(server.Ours)); err != nil {
		return err
	}
	if err := write(o.out, results); err != nil {
		return err
	}
	if o.everything() {
		if err := o.renewals(out); err != nil {
			return err
		}
	}
	switch {
	case o.record:
		return o.recordBaseline(results)
	case o.check:
		return o.compare(results)
	}
	return nil
}

// everything reports whether the flags select a complete run without a comparison.
func (o options) everything() bool {
	return o.only == "" && o.sizes == "" && o.variants == "" && !o.check && !o.record
}

// results runs the benchmark.
func (o options) results() (*report.Run, error) {
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	results, err := o.newRun()
	if err != nil {
		return nil, err
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		return nil, err
	}
	for _, m := range p.meshes {
		if err := o.measureMesh(p, m, signer, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// newRun prepares this process for measurements.
func (o options) newRun() (*report.Run, error) {
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return nil, err
		}
	}
	if err := pinSelf(clientCore); err != nil {
		return nil, fmt.Errorf("this process cannot be kept on one core: %w", err)
	}
	return &report.Run{
		Machine: fmt.Sprintf("%d cores, %s", runtime.NumCPU(), processor()), Version: runtime.Version(),
		Begun: time.Now().UTC().Format(time.RFC3339), Arguments: os.Args[1:],
	}, nil
}

// measureMesh measures all variants in one mesh. It writes intermediate results, because a long run may be interrupted.
func (o options) measureMesh(p plan, m measured, signer *fleet.Signer, results *report.Run) error {
	a, err := newTestbed(p, m, signer, o.profiles)
	if err != nil {
		return err
	}
	for _, v := range p.variants {
		if !p.measures(v, m) {
			continue
		}
		begun := time.Now()
		result, err := a.measure(v)
		if err != nil {
			return err
		}
		log.Printf("%s, %d sidecars, %s: measured in %s", m.mode, m.sidecars, v, time.Since(begun).Round(100*time.Millisecond))
		results.Results = append(results.Results, result)
		if err := write(o.out, results); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	return nil
}

// plan returns the plan that the flags select.
func (o options) plan() (plan, error) {
	p := shortPlan()
	if o.full {
		p = fullPlan()
	}
	if o.sizes != "" {
		sizes, err := numbers(o.sizes)
		if err != nil {
			return p, err
		}
		p.meshes = nil
		for _, mode := range []mesh.Mode{mesh.Policy, mesh.Visible, mesh.Outside} {
			for _, sidecars := range sizes {
				p.meshes = append(p.meshes, measured{mode: mode, sidecars: sidecars})
			}
		}
	}
	p.meshes = slices.DeleteFunc(p.meshes, func(m measured) bool { return o.only != "" && string(m.mode) != o.only })
	p.variants = slices.DeleteFunc(slices.Clone(p.variants), func(v server.Variant) bool {
		return !slices.ContainsFunc(strings.Split(o.variants, ","), func(word string) bool { return strings.Contains(string(v), word) })
	})
	if len(p.meshes) == 0 || len(p.variants) == 0 {
		return p, errors.New("nothing is left to measure: see -only, -sizes and -variants")
	}
	return p, nil
}

// numbers parses comma-separated numbers of sidecars and sorts them.
func numbers(text string) ([]int, error) {
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%q in -sizes is not a number of sidecars", field)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}

// write writes the results as JSON.
func write(prefix string, results *report.Run) error {
	if err := os.MkdirAll(filepath.Dir(prefix), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(prefix+".json", append(data, '\n'), 0o644)
}

// recordBaseline writes the ratios of a run as the baseline.
func (o options) recordBaseline(results *report.Run) error {
	data, err := json.MarshalIndent(results.Ratios(string(server.Ours)), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.baseline, append(data, '\n'), 0o644)
}

// checks is the maximum number of runs before a ratio counts as worse, because a busy machine can distort one run.
const checks = 3

// compare compares ratios with the baseline. If any is worse it repeats the measurement and uses the minimum of all runs.
func (o options) compare(results *report.Run) error {
	data, err := os.ReadFile(o.baseline)
	if err != nil {
		return fmt.Errorf("there is no baseline to compare with: %w", err)
	}
	var baseline map[string]float64
	if err := json.Unmarshal(data, &baseline); err != nil {
		return fmt.Errorf("%s is not a baseline: %w", o.baseline, err)
	}
	complaints := report.Worse(results.Ratios(string(server.Ours)), baseline)
	for run := 1; run < checks && len(complaints) > 0; run++ {
		log.Printf("worse than the baseline, perhaps because of the machine; measuring again:\n  %s", strings.Join(complaints, "\n  "))
		again, err := o.results()
		if err != nil {
			return err
		}
		results.Least(again)
		complaints = report.Worse(results.Ratios(string(server.Ours)), baseline)
	}
	if len(complaints) > 0 {
		return fmt.Errorf("ratios have become worse:\n  %s", strings.Join(complaints, "\n  "))
	}
	return nil
}

// processor is the name of the processor, as the system knows it.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
