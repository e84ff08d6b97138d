package describe

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// Print writes a description as text.
func (d *Description) Print(w io.Writer) error {
	fmt.Fprintf(w, "%-9s %s\n%-9s %s\n", "Pod", d.Pod, "Account", d.Account)
	if d.Sidecar == "" {
		fmt.Fprintf(w, "%-9s none: no policy applies to this pod. Restart it to add a sidecar\n", "Sidecar")
	} else {
		fmt.Fprintf(w, "%-9s revision %s\n", "Sidecar", d.Sidecar)
	}
	for _, part := range []struct {
		title, none string
		table       output.Table
	}{
		{"Clients", "no Service selects the pod, so nobody calls it through the mesh", d.clients()},
		{"May call", "no policy allows the pod to call another workload", d.destinations()},
		{"Policies", "none", d.policies()},
	} {
		if len(part.table.Rows) == 0 {
			fmt.Fprintf(w, "\n%s: %s\n", part.title, part.none)
			continue
		}
		fmt.Fprintf(w, "\n%s\n", part.title)
		if err := new(output.Flag).Print(w, output.Result{Table: part.table}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Description) clients() output.Table {
	table := output.Table{Columns: output.Columns("SERVICE", "PORT", "CLIENT", "REQUESTS", "BY TRAFFICTARGET")}
	for _, in := range d.Inbound {
		port := strconv.Itoa(int(in.Port)) + "/" + in.Protocol
		switch {
		case in.Permissive:
			table.Rows = append(table.Rows, []string{in.Service, port, "every workload of the mesh", "all", "none: permissive mode"})
		case len(in.Grants) == 0:
			table.Rows = append(table.Rows, []string{in.Service, port, "nobody", "-", "-"})
		}
		for _, g := range in.Grants {
			desired := strings.Join(g.Requests, "; ")
			if desired == "" {
				desired = "-"
			}
			table.Rows = append(table.Rows, []string{in.Service, port, strings.Join(g.Clients, ", "), desired, g.Policy})
		}
	}
	return table
}

func (d *Description) destinations() output.Table {
	table := output.Table{Columns: output.Columns("SERVICE", "PORT", "BACKENDS")}
	for _, o := range d.Outbound {
		to := strings.Join(o.Backends, ", ")
		if to == "" {
			to = "none"
		}
		table.Rows = append(table.Rows, []string{o.Service, strconv.Itoa(int(o.Port)) + "/" + o.Protocol, to})
	}
	return table
}

func (d *Description) policies() output.Table {
	table := output.Table{Columns: output.Columns("KIND", "NAME", "PROBLEMS")}
	for _, p := range d.Policies {
		problems := strings.Join(p.Problems, " ")
		if problems == "" {
			problems = "none"
		}
		table.Rows = append(table.Rows, []string{p.Kind, p.Name, problems})
	}
	return table
}
