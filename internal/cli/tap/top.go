package tap

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Row is the traffic of one route between one pair of peers.
type Row struct {
	Namespace string `json:"namespace"`
	// Workload is the workload of the pod, such as deployment/web.
	Workload  string `json:"workload"`
	Direction string `json:"direction"`
	Peer      string `json:"peer,omitempty"`
	Method    string `json:"method,omitempty"`
	// Path has no query.
	Path  string `json:"path,omitempty"`
	Count int    `json:"count"`
	// Rate is the number per second.
	Rate float64 `json:"ratePerSecond"`
	// Success is the share of responses with a status from 100 to 499, from 0 to 1; nil for TCP connections.
	Success *float64 `json:"success,omitempty"`
	Denied  int      `json:"denied"`
	// Best, Median and Worst are durations in milliseconds.
	Best   float64 `json:"bestMilliseconds"`
	Median float64 `json:"medianMilliseconds"`
	Worst  float64 `json:"worstMilliseconds"`
}

// Top collects events into rows.
type Top struct {
	// Workload returns the name of the workload of a pod.
	Workload func(Pod) string
	rows     map[Row]*collected
}

type collected struct {
	durations         []float64
	succeeded, denied int
}

// Add adds an event.
func (t *Top) Add(e Event) {
	path, _, _ := strings.Cut(e.Path, "?")
	key := Row{Namespace: e.Namespace, Workload: t.Workload(Pod{e.Namespace, e.Pod}), Direction: e.Direction, Peer: e.Peer, Method: e.Method, Path: path}
	if t.rows == nil {
		t.rows = map[Row]*collected{}
	}
	row := t.rows[key]
	if row == nil {
		row = &collected{}
		t.rows[key] = row
	}
	row.durations = append(row.durations, e.Milliseconds)
	if e.Status >= 100 && e.Status < 500 {
		row.succeeded++
	}
	if e.DeniedBy != "" {
		row.denied++
	}
}

// Rows returns the rows of a period, the busiest first.
func (t *Top) Rows(period time.Duration) []Row {
	rows := []Row{}
	for _, key := range slices.Collect(maps.Keys(t.rows)) {
		rows = append(rows, key.with(t.rows[key], period))
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workload, b.Workload),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Path, b.Path))
	})
	return rows
}

// with returns a row with its numbers.
func (r Row) with(c *collected, period time.Duration) Row {
	slices.Sort(c.durations)
	r.Count, r.Denied = len(c.durations), c.denied
	r.Rate = float64(r.Count) / period.Seconds()
	r.Best, r.Median, r.Worst = c.durations[0], c.durations[len(c.durations)/2], c.durations[len(c.durations)-1]
	if r.Method != "" {
		share := float64(c.succeeded) / float64(r.Count)
		r.Success = &share
	}
	return r
}
