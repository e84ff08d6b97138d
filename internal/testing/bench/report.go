package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// metric is a measured quantity.
type metric string

// Metrics. Those of changes are prefixed with the kind of change.
const (
	syncWall      metric = "first sync of all"
	syncCPU       metric = "first sync, CPU"
	syncBytes     metric = "first sync, sent"
	restartWall   metric = "restart, all reconnect"
	restartCPU    metric = "restart, CPU"
	restartShare  metric = "restart, sent again"
	memory        metric = "memory"
	changeP50     metric = "change to last acknowledgement, p50"
	changeP99     metric = "change to last acknowledgement, p99"
	changeCPU     metric = "CPU a change (median)"
	changeMeanCPU metric = "CPU a change (mean, with garbage collection)"
	changeBytes   metric = "sent"
	changeTouched metric = "sidecars touched"
	changeNothing metric = "sidecars touched for nothing"
	changeAllocs  metric = "allocations a change"
)

// of returns the metric for one kind of change.
func (m metric) of(kind mesh.Kind) metric { return metric(kind) + ": " + m }

// metrics returns all metrics in the order of the table. Changes of nothing only measure the benchmark.
func metrics() []metric {
	list := []metric{syncWall, syncCPU, syncBytes, restartWall, restartCPU, restartShare, memory}
	for _, kind := range mesh.Kinds(mesh.Policy)[1:] {
		for _, m := range []metric{changeP50, changeP99, changeCPU, changeMeanCPU, changeBytes, changeTouched, changeNothing, changeAllocs} {
			list = append(list, m.of(kind))
		}
	}
	return list
}

// shape is a mode and a size of a mesh.
type shape struct {
	Mode     mesh.Mode
	Sidecars int
}

// result holds the measurements of one control plane in one mesh.
type result struct {
	Variant server.Variant
	shape
	// Values are in seconds, bytes or counts. Metrics that were not measured are absent.
	Values map[metric]float64
}

// report holds all results of one run of the benchmark.
type report struct {
	// Machine, Version and Begun are the machine, the measured version and the start time.
	Machine, Version, Begun string
	// Arguments are the arguments of the command line.
	Arguments []string
	Results   []result
}

// values returns the measurements of a variant in a mesh, or nil.
func (r *report) values(variant server.Variant, s shape) map[metric]float64 {
	for _, x := range r.Results {
		if x.Variant == variant && x.shape == s {
			return x.Values
		}
	}
	return nil
}

// ratios returns our values divided by those of other control planes, for metrics that are stable on a busy machine. The keys
// describe the mesh, the metric and the other control plane.
func (r *report) ratios() map[string]float64 {
	ratios := map[string]float64{}
	for _, other := range r.Results {
		for m, value := range r.values(server.Ours, other.shape) {
			if other.Variant != server.Ours && compared(m) && other.Values[m] > 0 {
				key := fmt.Sprintf("%s, %d sidecars, %s, against %s", other.Mode, other.Sidecars, m, other.Variant)
				ratios[key] = value / other.Values[m]
			}
		}
	}
	return ratios
}

// least adopts smaller values of another run of the same plan, because noise only increases values.
func (r *report) least(other *report) {
	for _, own := range r.Results {
		for m, value := range other.values(own.Variant, own.shape) {
			if before, measured := own.Values[m]; measured {
				own.Values[m] = min(before, value)
			}
		}
	}
}

// compared reports whether the ratios of a metric are compared with a baseline. Changes of nothing only measure the benchmark.
func compared(m metric) bool {
	stable := []metric{syncCPU, changeCPU, syncBytes, changeBytes, changeAllocs}
	return !strings.HasPrefix(string(m), string(mesh.Nothing)) &&
		slices.ContainsFunc(stable, func(suffix metric) bool { return strings.HasSuffix(string(m), string(suffix)) })
}

// tolerance is the accepted increase of a ratio over the baseline.
const tolerance = 0.30

// worse describes the ratios that exceed the baseline by more than the tolerance, and those that are missing.
func worse(ratios, baseline map[string]float64) []string {
	var complaints []string
	for _, key := range slices.Sorted(maps.Keys(baseline)) {
		now, measured := ratios[key]
		switch {
		case !measured:
			complaints = append(complaints, fmt.Sprintf("%s: was not measured, though the baseline has it", key))
		case now > baseline[key]*(1+tolerance):
			complaints = append(complaints, fmt.Sprintf("%s: %s times as much, %s in the baseline", key, short(now), short(baseline[key])))
		}
	}
	return complaints
}

// table writes one Markdown table for each mode and size. Values of other control planes are followed by the ratio of ours to them.
func (r *report) table(w io.Writer) error {
	var text strings.Builder
	var shapes []shape
	var variants []server.Variant
	for _, x := range r.Results {
		shapes = append(shapes, x.shape)
		if !slices.Contains(variants, x.Variant) {
			variants = append(variants, x.Variant)
		}
	}
	slices.SortFunc(shapes, func(a, b shape) int { return cmp.Or(cmp.Compare(a.Mode, b.Mode), a.Sidecars-b.Sidecars) })
	for _, s := range slices.Compact(shapes) {
		fmt.Fprintf(&text, "\n### %s, %d sidecars\n\n| |", s.Mode, s.Sidecars)
		for _, v := range variants {
			fmt.Fprintf(&text, " %s |", v)
		}
		fmt.Fprintf(&text, "\n|---|%s\n", strings.Repeat("---:|", len(variants)))
		for _, m := range metrics() {
			text.WriteString(r.row(s, m, variants))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// row returns a row of the table, or "" if it has no value.
func (r *report) row(s shape, m metric, variants []server.Variant) string {
	mine, measured := r.values(server.Ours, s)[m]
	line, filled := "| "+string(m)+" |", false
	for _, v := range variants {
		value, ok := r.values(v, s)[m]
		filled = filled || ok
		switch {
		case !ok:
			line += " |"
		case v == server.Ours || !measured || value == 0:
			line += " " + format(m, value) + " |"
		default:
			line += fmt.Sprintf(" %s (x%s) |", format(m, value), short(mine/value))
		}
	}
	if !filled {
		return ""
	}
	return line + "\n"
}

// format formats a value with its unit.
func format(m metric, v float64) string {
	name := string(m)
	switch {
	case strings.HasSuffix(name, string(restartShare)):
		return short(v*100) + " %"
	case strings.Contains(name, "touched"), strings.Contains(name, "allocations"):
		return short(v)
	case strings.HasSuffix(name, "sent"), strings.Contains(name, "memory"):
		return bytes(v)
	}
	return seconds(v)
}

func bytes(v float64) string {
	switch {
	case v >= 1e6:
		return short(v/1e6) + " MB"
	case v >= 1e3:
		return short(v/1e3) + " kB"
	}
	return short(v) + " B"
}

func seconds(v float64) string {
	if v >= 1 {
		return short(v) + " s"
	}
	return short(v*1e3) + " ms"
}

// short formats a number with up to three significant digits.
func short(v float64) string {
	switch {
	case v == math.Trunc(v) || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
