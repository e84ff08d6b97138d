package report

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Kinds of changes and the metrics of each, as rows of the table.
var (
	kinds       = []string{"endpoint", "rules", "grant", "split", "limits", "retry", "new service", "egress", "ingress", "authorizer"}
	meshMetrics = []Metric{SyncWall, SyncCPU, SyncBytes, RestartWall, RestartCPU, RestartShare, Memory, MemorySlope}
	ofChanges   = []Metric{
		ChangeP50, ChangeP99, ChangeCPU, ChangeMeanCPU, ChangeBytes, ChangeTouched, ChangeNothing, ChangeAllocs,
	}
)

// rows returns all metrics in order.
func rows() []Metric {
	list := append([]Metric{}, meshMetrics...)
	for _, kind := range kinds {
		for _, m := range ofChanges {
			list = append(list, Of(kind, m))
		}
	}
	return list
}

// Table writes one Markdown table for each mode and size. Values of other control planes are followed by the ratio of ours to them.
func (r *Run) Table(w io.Writer, ours string) error {
	var text strings.Builder
	variants := r.variants()
	for _, s := range r.shapes() {
		fmt.Fprintf(&text, "\n### %s, %d sidecars\n\n| |", s.mode, s.sidecars)
		for _, v := range variants {
			fmt.Fprintf(&text, " %s |", v)
		}
		fmt.Fprintf(&text, "\n|---|%s\n", strings.Repeat("---:|", len(variants)))
		for _, m := range rows() {
			if line, filled := r.row(s, m, variants, ours); filled {
				text.WriteString(line)
			}
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// row returns a row of the table, and whether it has any value.
func (r *Run) row(s shape, m Metric, variants []string, ours string) (line string, filled bool) {
	own, _ := r.find(ours, s.mode, s.sidecars)
	mine, measured := own.Values[m]
	line = "| " + string(m) + " |"
	for _, v := range variants {
		result, _ := r.find(v, s.mode, s.sidecars)
		value, ok := result.Values[m]
		filled = filled || ok
		switch {
		case !ok:
			line += " |"
		case v == ours || !measured || value == 0:
			line += " " + format(m, value) + " |"
		default:
			line += fmt.Sprintf(" %s (x%s) |", format(m, value), short(mine/value))
		}
	}
	return line + "\n", filled
}

// format formats a value with its unit.
func format(m Metric, v float64) string {
	name := string(m)
	switch {
	case strings.HasSuffix(name, string(RestartShare)):
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
