package report

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Costs holds the measured costs of one replica of the control plane.
type Costs struct {
	// Mesh is the memory of a replica by sidecars in the mesh, without connections. Sidecar is the memory by connected sidecars, and
	// Connection the part of it that gRPC and TLS use. All are in bytes.
	Mesh, Sidecar, Connection Line
	// Read, Sync and Return are CPU seconds: to read a mesh by its size, to serve new sidecars, and to serve reconnecting
	// sidecars.
	Read, Sync, Return Line
	// Sent is the number of bytes of a first sync by sidecars.
	Sent Line
	// Peak is the resident memory after all sidecars connected concurrently, divided by the memory when idle.
	Peak float64
	// Change and Elsewhere are the CPU seconds of an endpoint change that affects some or no connected sidecars, without garbage
	// collection.
	Change, Elsewhere float64
	// ChangeBytes is the number of bytes that such a change sends.
	ChangeBytes float64
}

// Assumptions are the inputs of the extrapolation that are not measured.
type Assumptions struct {
	// Sidecars is the size of the mesh.
	Sidecars int
	// Changes is the number of endpoint changes per second in the whole mesh.
	Changes float64
	// Age is the time in seconds after which a sidecar reconnects.
	Age float64
	// Event is the size of a watch event in bytes.
	Event float64
}

// Share is the resource usage of one of several equal replicas.
type Share struct {
	Replicas int
	// Sidecars is the number of sidecars that it serves while one replica is unavailable.
	Sidecars int
	// Memory is in bytes when idle, and Peak while all its sidecars connect concurrently.
	Memory, Peak float64
	// Busy is the share of one core used by changes and reconnections.
	Busy float64
	// Storm is the CPU seconds until all its sidecars have reconnected after an outage of the whole control plane, and Failover those
	// for its part of the sidecars of one failed replica.
	Storm, Failover float64
	// Sent is the bytes per second sent for changes, and Watched those received from the API server.
	Sent, Watched float64
}

// ShareOf returns the share of each replica for a number of replicas, at least two.
func (c Costs) ShareOf(a Assumptions, replicas int) Share {
	all, n := float64(a.Sidecars), float64(replicas)
	mine := all / (n - 1)
	s := Share{Replicas: replicas, Sidecars: int(mine)}
	s.Memory = c.Mesh.At(all) + c.Sidecar.Slope*mine
	s.Peak = s.Memory + (c.Peak-1)*c.Sidecar.Slope*mine
	s.Busy = a.Changes*(c.Elsewhere+(c.Change-c.Elsewhere)/(n-1)) + mine/a.Age*c.Return.Slope
	s.Storm = c.Read.At(all) + mine*c.Return.Slope
	s.Failover = all / n / (n - 1) * c.Return.Slope
	s.Sent = a.Changes * c.ChangeBytes / (n - 1)
	s.Watched = a.Changes * a.Event
	return s
}

// ScaleTable writes the measurements, the fitted lines and the extrapolation for several numbers of replicas.
func ScaleTable(w io.Writer, r *Run, c Costs, a Assumptions, shares []Share) error {
	var text strings.Builder
	measured(&text, r)
	text.WriteString("\n### Lines\n\n| | at 0 | slope | from step to step | furthest from the slope |\n|---|---:|---:|---:|---:|\n")
	for _, l := range c.lines() {
		var steps []string
		for _, step := range l.line.Steps {
			steps = append(steps, l.unit(step))
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s %% |\n", l.name, l.unit(l.line.At0), l.unit(l.line.Slope), strings.Join(steps, ", "), short(math.Round(l.line.Bend()*1000)/10))
	}
	fmt.Fprintf(&text, "\n### A mesh of %d sidecars\n\nAssumed: %s endpoint changes a second, sidecars connect again after %s, an event of a watch has %s.\n\n",
		a.Sidecars, short(a.Changes), short(a.Age)+" s", bytes(a.Event))
	text.WriteString("| replicas | sidecars each, one away | memory | peak | busy | all come back, CPU | one fails, CPU | sent a second | watched a second |\n" +
		"|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, s := range shares {
		fmt.Fprintf(&text, "| %d | %d | %s | %s | %s %% | %s | %s | %s | %s |\n", s.Replicas, s.Sidecars, bytes(s.Memory), bytes(s.Peak),
			short(s.Busy*100), seconds(s.Storm), seconds(s.Failover), bytes(s.Sent), bytes(s.Watched))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// measured writes a column for each measurement.
func measured(text *strings.Builder, r *Run) {
	text.WriteString("\n### Measured\n\n| |")
	for _, result := range r.Results {
		fmt.Fprintf(text, " %s, %d of %d |", result.Variant, result.Sidecars, max(result.Of, result.Sidecars))
	}
	fmt.Fprintf(text, "\n|---|%s\n", strings.Repeat("---:|", len(r.Results)))
	for _, m := range scaleRows() {
		row, filled := "", false
		for _, result := range r.Results {
			value, ok := result.Values[m]
			filled = filled || ok
			if ok {
				row += " " + format(m, value)
			}
			row += " |"
		}
		if filled {
			fmt.Fprintf(text, "| %s |%s\n", m, row)
		}
	}
}

// namedLine is a row of the table of lines.
type namedLine struct {
	name string
	line Line
	unit func(float64) string
}

func (c Costs) lines() []namedLine {
	return []namedLine{
		{"memory by sidecars in the mesh, none connected", c.Mesh, bytes},
		{"memory by connected sidecars", c.Sidecar, bytes},
		{"of it gRPC, TLS and stacks alone", c.Connection, bytes},
		{"reading the mesh by its sidecars, CPU", c.Read, seconds},
		{"first sync by connected sidecars, CPU", c.Sync, seconds},
		{"coming back by connected sidecars, CPU", c.Return, seconds},
		{"first sync by connected sidecars, sent", c.Sent, bytes},
	}
}

// scaleRows are the metrics in the table of measurements.
func scaleRows() []Metric {
	list := []Metric{ReadCPU, Memory, Resident, SyncWall, SyncCPU, SyncBytes, RestartCPU, RestartShare}
	for _, kind := range []string{"endpoint", "endpoint elsewhere", "rules", "grant", "new service"} {
		for _, m := range []Metric{ChangeP50, ChangeCPU, ChangeMeanCPU, ChangeBytes, ChangeTouched, ChangeNothing, ChangeAllocs} {
			list = append(list, Of(kind, m))
		}
	}
	return list
}
