// Package report turns the measurements of the benchmark into tables, a plot, and ratios that can be held against earlier ones.
//
// Results flow in; Markdown, SVG, JSON and complaints flow out. Ratios between control planes measured in one run say more than
// seconds, which depend on the machine.
package report
