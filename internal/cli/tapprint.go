package cli

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
)

// lineOf is an event for people.
func lineOf(e tap.Event) string {
	arrow, peer := "<-", orDash(e.Peer)
	if e.Direction == tap.Outbound {
		arrow = "->"
	}
	what := fmt.Sprintf("%s %s %d", e.Method, e.Path, e.Status)
	if !e.IsRequest() {
		what = fmt.Sprintf("TCP %d bytes received, %d sent", e.Received, e.Sent)
	}
	line := fmt.Sprintf("%s %s/%s %s %s  %s  %s", e.Time.Local().Format("15:04:05.000"), e.Namespace, e.Pod, arrow, peer, what, milliseconds(e.Milliseconds))
	if e.DeniedBy != "" {
		line += "  denied by " + e.DeniedBy
	} else if e.Flags != "" {
		line += "  " + e.Flags + " " + e.Details
	}
	return line
}

func topTable(rows []tap.Row) output.Table {
	table := output.Table{Columns: output.Columns("NAMESPACE", "WORKLOAD", "DIRECTION", "PEER", "METHOD", "PATH", "COUNT", "RPS", "SUCCESS", "DENIED", "BEST", "MEDIAN", "WORST")}
	for _, r := range rows {
		table.Rows = append(table.Rows, []string{
			r.Namespace, r.Workload, r.Direction, orDash(r.Peer), orDash(r.Method), orDash(r.Path), fmt.Sprint(r.Count), fmt.Sprintf("%.1f", r.Rate),
			optionally(r.Success, func(v float64) string { return fmt.Sprintf("%.2f%%", 100*v) }), fmt.Sprint(r.Denied),
			milliseconds(r.Best), milliseconds(r.Median), milliseconds(r.Worst),
		})
	}
	return table
}
