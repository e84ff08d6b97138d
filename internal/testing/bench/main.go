package main

import (
	"cmp"
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

	"github.com/prometheus/procfs"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/largemesh"
)

// options are the flags.
type options struct {
	check, record  bool
	only           string
	sizes          string
	variants       string
	out, baseline  string
	endToEnd, cold bool
	operator       bool
	routes         int
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
	flag.BoolVar(&o.check, "check", false, "fail when a ratio is worse than in the baseline by more than 30%")
	flag.BoolVar(&o.record, "record", false, "make this run's ratios the baseline")
	flag.StringVar(&o.only, "only", "", "measure one mode only: policy, visible or ondemand")
	flag.StringVar(&o.sizes, "sizes", "", "measure these numbers of sidecars instead, separated by commas")
	flag.StringVar(&o.variants, "variants", "", "measure only control planes whose names contain one of these words, separated by commas")
	flag.StringVar(&o.out, "out", "bin/bench", "write the results to this file, with .json added")
	flag.StringVar(&o.baseline, "baseline", "internal/testing/bench/baseline.json", "the file with the ratios of an earlier short run")
	flag.BoolVar(&o.endToEnd, "endtoend", false, "measure changes from a real API server to the sidecars of the real osm-controller; KUBEBUILDER_ASSETS names its programs")
	flag.IntVar(&o.routes, "routes", 0, "with -endtoend, measure changes of HTTPRoutes in a mesh with policies and at least this number of them")
	flag.BoolVar(&o.cold, "coldstart", false, "measure the start of the real osm-controller with a real API server, for -sizes pods; KUBEBUILDER_ASSETS names its programs")
	flag.BoolVar(&o.operator, "operator", false, "measure what events of a mesh with -sizes pods cost the real osm-operator; KUBEBUILDER_ASSETS names the programs of the API server")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(o options, out io.Writer) error {
	if o.operator {
		return o.operators(out)
	}
	if o.endToEnd || o.cold {
		return o.endToEnds(out)
	}
	// everything is true if the flags select a complete run without a comparison.
	everything := o.only == "" && o.sizes == "" && o.variants == "" && !o.check && !o.record
	if everything {
		// Before this process is kept on one core: the command line has all of them.
		if err := largemesh.Table(context.Background(), out); err != nil {
			return err
		}
	}
	if err := pinSelf(clientCore); err != nil {
		return err
	}
	results, err := o.measure()
	if err != nil {
		return err
	}
	if err := results.table(out); err != nil {
		return err
	}
	switch {
	case everything:
		return renewals(out)
	case o.record:
		return write(o.baseline, results.ratios())
	case o.check:
		return o.compare(results)
	}
	return nil
}

// variants are the control planes in the order of measurement. The broadcast comes first, so that the sidecars of this process
// decode all resources during its measurement.
var variants = []server.Variant{server.Broadcast, server.Ours}

// plan returns the meshes and control planes that the flags select.
func (o options) plan() ([]shape, []server.Variant, error) {
	shapes := []shape{{mesh.Policy, 100}, {mesh.Policy, 500}, {mesh.Visible, 100}, {mesh.OnDemand, 100}}
	if o.sizes != "" {
		sizes, err := numbers(o.sizes)
		if err != nil {
			return nil, nil, err
		}
		shapes = nil
		for _, mode := range mesh.Modes() {
			for _, sidecars := range sizes {
				shapes = append(shapes, shape{mode, sidecars})
			}
		}
	}
	shapes = slices.DeleteFunc(shapes, func(s shape) bool { return o.only != "" && string(s.Mode) != o.only })
	selected := slices.DeleteFunc(slices.Clone(variants), func(v server.Variant) bool {
		return !slices.ContainsFunc(strings.Split(o.variants, ","), func(word string) bool { return strings.Contains(string(v), word) })
	})
	if len(shapes) == 0 || len(selected) == 0 {
		return nil, nil, errors.New("nothing is left to measure: see -only, -sizes and -variants")
	}
	return shapes, selected, nil
}

// measure runs the benchmark. It writes intermediate results, because a long run may be interrupted.
func (o options) measure() (*report, error) {
	shapes, selected, err := o.plan()
	if err != nil {
		return nil, err
	}
	results := &report{
		Machine: fmt.Sprintf("%d cores, %s", runtime.NumCPU(), processor()), Version: runtime.Version(),
		Begun: time.Now().UTC().Format(time.RFC3339), Arguments: os.Args[1:],
	}
	for _, s := range shapes {
		t, err := newTestbed(s, changes)
		if err != nil {
			return nil, err
		}
		for _, v := range selected {
			begun := time.Now()
			one, err := t.measure(v)
			if err != nil {
				return nil, err
			}
			log.Printf("%s, %d sidecars, %s: measured in %s", s.Mode, s.Sidecars, v, time.Since(begun).Round(100*time.Millisecond))
			results.Results = append(results.Results, one)
			if err := write(o.out+".json", results); err != nil {
				return nil, err
			}
		}
		debug.FreeOSMemory()
	}
	return results, nil
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

// write writes results as JSON.
func write(file string, results any) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// checks is the maximum number of runs before a ratio counts as worse, because a busy machine can distort one run.
const checks = 3

// compare compares ratios with the baseline. If any is worse it repeats the measurement and uses the minimum of all runs.
func (o options) compare(results *report) error {
	data, err := os.ReadFile(o.baseline)
	if err != nil {
		return fmt.Errorf("there is no baseline to compare with: %w", err)
	}
	var baseline map[string]float64
	if err := json.Unmarshal(data, &baseline); err != nil {
		return fmt.Errorf("%s is not a baseline: %w", o.baseline, err)
	}
	complaints := worse(results.ratios(), baseline)
	for run := 1; run < checks && len(complaints) > 0; run++ {
		log.Printf("worse than the baseline, perhaps because of the machine; measuring again:\n  %s", strings.Join(complaints, "\n  "))
		again, err := o.measure()
		if err != nil {
			return err
		}
		results.least(again)
		complaints = worse(results.ratios(), baseline)
	}
	if len(complaints) > 0 {
		return fmt.Errorf("ratios have become worse:\n  %s", strings.Join(complaints, "\n  "))
	}
	return nil
}

// processor is the name of the processor, as the system knows it.
func processor() string {
	if system, err := procfs.NewDefaultFS(); err == nil {
		if cores, err := system.CPUInfo(); err == nil && len(cores) > 0 {
			return cmp.Or(cores[0].ModelName, runtime.GOARCH)
		}
	}
	return runtime.GOARCH
}
