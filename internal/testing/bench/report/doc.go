// Package report converts the measurements of the benchmark to tables, and ratios for comparison with earlier runs.
//
// Its input is results. Its output is Markdown, JSON and a list of regressions. Ratios between control planes of one run are
// more stable than durations, which depend on the machine.
package report
