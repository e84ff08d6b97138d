package dashboards

import (
	"slices"
	"strings"
)

// Dashboard is a page with rows of panels.
type Dashboard struct {
	// File is the file name of the dashboard, without the ending. Dashboards of OSM have the file names of its chart.
	File string
	// UID identifies the dashboard in Grafana. It is part of its address.
	UID         string
	Title       string
	Description string
	Folder      Folder
	Variables   []Variable
	Rows        []Row
}

// Folder is a folder of dashboards.
type Folder string

// The folders of OSM.
const (
	DataPlane    Folder = "OSM Data Plane"
	ControlPlane Folder = "OSM Control Plane"
)

// Variable is a choice at the top of a dashboard: the values of a label of a metric. Queries use it as $Name.
type Variable struct {
	Name string
	// Label is the label whose values are offered.
	Label string
	// Selector selects the series whose label is read. It can use the variables before this one.
	Selector string
	// All is true if every value can be chosen at once, and is so at first. Queries then need =~.
	All bool
}

// Row is a titled group of panels.
type Row struct {
	Title  string
	Panels []Panel
}

// Kind is how a panel shows its series.
type Kind int

// The kinds of panels.
const (
	// Lines are values over time.
	Lines Kind = iota
	// Number is the last value.
	Number
	// Heatmap shows the buckets of a histogram over time.
	Heatmap
	// Table has a row for each series, with its labels and its last value.
	Table
)

// Panel shows the results of queries.
type Panel struct {
	Title string
	// Description explains what a reader cannot see: whose numbers these are, or what a high value means.
	Description string
	Kind        Kind
	Unit        Unit
	Queries     []Query
	// Exceptional is true if the panel is empty while nothing is wrong.
	Exceptional bool
}

// Unit is the unit of the values of a panel.
type Unit int

// The units.
const (
	Count Unit = iota
	PerSecond
	BytesPerSecond
	Bytes
	Milliseconds
	Seconds
	// Ratio is between 0 and 1.
	Ratio
	Cores
)

// Query is an expression of PromQL. It can use variables, $__rate_interval and $__range.
type Query struct {
	Expr string
	// Legend is the name of a series, with labels as {{label}}.
	Legend string
}

// All returns the dashboards, sorted by file name.
func All() []Dashboard {
	list := []Dashboard{
		controlPlaneTraffic(), dataPlanePerformance(), meshAndEnvoyDetails(), podToService(), serviceToService(), workloadToService(), workloadToWorkload(),
		overview(), rollout(), certificates(), pushPath(), verdicts(),
	}
	slices.SortFunc(list, func(a, b Dashboard) int { return strings.Compare(a.File, b.File) })
	return list
}

// lines is a panel with one query.
func lines(title string, unit Unit, expr, legend string) Panel {
	return Panel{Title: title, Unit: unit, Queries: []Query{{Expr: expr, Legend: legend}}}
}

// failures is a panel with one query that has series only after something failed.
func failures(title, description string, unit Unit, expr, legend string) Panel {
	p := lines(title, unit, expr, legend)
	p.Description, p.Exceptional = description, true
	return p
}

// number is a panel with the last value of a query.
func number(title string, unit Unit, expr string) Panel {
	return Panel{Title: title, Kind: Number, Unit: unit, Queries: []Query{{Expr: expr}}}
}

// quantiles is a panel with quantiles of a histogram of seconds. The selector has the name without _bucket.
func quantiles(title, description, metric, matchers, by string) Panel {
	p := Panel{Title: title, Description: description, Unit: Seconds}
	for _, q := range []struct{ value, name string }{{"0.5", "p50"}, {"0.9", "p90"}, {"0.99", "p99"}} {
		group, legend := "le", q.name
		if by != "" {
			group, legend = "le, "+by, q.name+" {{"+by+"}}"
		}
		p.Queries = append(p.Queries, Query{
			Expr:   "histogram_quantile(" + q.value + ", sum by (" + group + ") (rate(" + metric + "_bucket" + matchers + "[$__rate_interval])))",
			Legend: legend,
		})
	}
	return p
}

// buckets is a panel with the buckets of a histogram.
func buckets(title string, unit Unit, metric, matchers string) Panel {
	return Panel{Title: title, Kind: Heatmap, Unit: unit, Queries: []Query{{
		Expr: "sum by (le) (increase(" + metric + "_bucket" + matchers + "[$__rate_interval]))", Legend: "{{le}}",
	}}}
}
