package report

import (
	"cmp"
	"slices"
)

// Metric is a measured quantity.
type Metric string

// Metrics. Those of changes are prefixed with the kind of change.
const (
	SyncWall      Metric = "first sync of all"
	SyncCPU       Metric = "first sync, CPU"
	SyncBytes     Metric = "first sync, sent"
	RestartWall   Metric = "restart, all reconnect"
	RestartCPU    Metric = "restart, CPU"
	RestartShare  Metric = "restart, sent again"
	Memory        Metric = "memory"
	MemorySlope   Metric = "memory a sidecar (slope)"
	ChangeP50     Metric = "change to last acknowledgement, p50"
	ChangeP99     Metric = "change to last acknowledgement, p99"
	ChangeCPU     Metric = "CPU a change (median)"
	ChangeMeanCPU Metric = "CPU a change (mean, with garbage collection)"
	ChangeBytes   Metric = "sent"
	ChangeTouched Metric = "sidecars touched"
	ChangeNothing Metric = "sidecars touched for nothing"
	ChangeAllocs  Metric = "allocations a change"
)

// Of returns the metric for one kind of change.
func Of(kind string, m Metric) Metric { return Metric(kind + ": " + string(m)) }

// Result holds the measurements of one control plane in one mesh.
type Result struct {
	Variant  string
	Mode     string
	Sidecars int
	// Values are in seconds, bytes or counts. Metrics that were not measured are absent.
	Values map[Metric]float64
}

// Run holds all results of one run of the benchmark.
type Run struct {
	// Machine, Version and Begun are the machine, the measured version and the start time.
	Machine, Version, Begun string
	// Arguments are the arguments of the command line.
	Arguments []string
	Results   []Result
}

// find returns the result of a variant in a mesh.
func (r *Run) find(variant, mode string, sidecars int) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool {
		return x.Variant == variant && x.Mode == mode && x.Sidecars == sidecars
	})
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}

// shape is a mode and a size of a mesh.
type shape struct {
	mode     string
	sidecars int
}

// shapes returns the measured shapes in order.
func (r *Run) shapes() []shape {
	var list []shape
	for _, result := range r.Results {
		list = append(list, shape{result.Mode, result.Sidecars})
	}
	slices.SortFunc(list, func(a, b shape) int { return cmp.Or(cmp.Compare(a.mode, b.mode), a.sidecars-b.sidecars) })
	return slices.Compact(list)
}

// variants returns the measured variants in the order of their first result.
func (r *Run) variants() []string {
	var list []string
	for _, result := range r.Results {
		if !slices.Contains(list, result.Variant) {
			list = append(list, result.Variant)
		}
	}
	return list
}

// AddSlopes computes the memory of one additional sidecar, from each mesh and the next smaller one.
func (r *Run) AddSlopes() {
	shapes := r.shapes()
	for i := 1; i < len(shapes); i++ {
		before, after := shapes[i-1], shapes[i]
		if before.mode != after.mode {
			continue
		}
		for _, variant := range r.variants() {
			small, ok := r.find(variant, before.mode, before.sidecars)
			large, also := r.find(variant, after.mode, after.sidecars)
			if ok && also && small.Values[Memory] > 0 && large.Values[Memory] > 0 {
				large.Values[MemorySlope] = (large.Values[Memory] - small.Values[Memory]) / float64(after.sidecars-before.sidecars)
			}
		}
	}
}
