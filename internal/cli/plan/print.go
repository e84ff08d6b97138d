package plan

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
)

// marks are the diff markers of actions.
var marks = map[Action]string{Added: "+", Changed: "~", Removed: "-"}

// Print writes a plan as text.
func (p *Plan) Print(w io.Writer, form *output.Flag) error {
	p.printObjects(w)
	if len(p.Proxies) > 0 {
		fmt.Fprintf(w, "\n%d of %d sidecars would get a new configuration, %s in total:\n\n", p.Sidecars, p.AllSidecars, bytesText(p.Bytes))
		if err := form.Print(w, output.Result{Table: p.proxyTable()}); err != nil {
			return err
		}
	} else if len(p.Objects) > 0 {
		fmt.Fprint(w, "\nNo sidecar would get a new configuration.\n")
	}
	for _, part := range []struct {
		title  string
		denies bool
	}{{"newly denied", true}, {"newly allowed", false}} {
		flows := p.flows(part.denies)
		if len(flows) == 0 {
			if len(p.Objects) > 0 {
				fmt.Fprintf(w, "\nNo flow would be %s.\n", part.title)
			}
			continue
		}
		noun := "flows"
		if len(flows) == 1 {
			noun = "flow"
		}
		fmt.Fprintf(w, "\n%d %s would be %s:\n\n", len(flows), noun, part.title)
		for _, f := range flows {
			printFlow(w, f, form.Wide())
		}
	}
	if len(p.Unavailable) > 0 {
		fmt.Fprint(w, "\nUnavailable:\n\n")
		for _, sentence := range p.Unavailable {
			fmt.Fprintf(w, "  %s\n", sentence)
		}
	}
	return nil
}

func (p *Plan) printObjects(w io.Writer) {
	if len(p.Objects) == 0 {
		fmt.Fprintln(w, "No object of the mesh would change.")
		return
	}
	for _, o := range p.Objects {
		fmt.Fprintf(w, "%s %s\n", marks[o.Action], o)
		for _, reason := range o.Rejections {
			fmt.Fprintf(w, "    rejected: %s\n", reason)
		}
		for _, warning := range o.Warnings {
			fmt.Fprintf(w, "    warning: %s\n", warning)
		}
	}
}

func (p *Plan) proxyTable() output.Table {
	table := output.Table{Columns: output.Columns("WORKLOAD", "SIDECARS", "STATE", "ADDED", "CHANGED", "REMOVED", "BYTES EACH")}
	for _, one := range p.Proxies {
		table.Rows = append(table.Rows, []string{
			one.Workload, strconv.Itoa(one.Sidecars), string(one.State),
			compare.CountsText(one.Resources.Added), compare.CountsText(one.Resources.Changed), compare.CountsText(one.Resources.Removed), strconv.Itoa(one.Bytes),
		})
	}
	return table
}

func (p *Plan) flows(denies bool) []compare.Flow {
	var list []compare.Flow
	for _, f := range p.Flows {
		if f.Denies() == denies {
			list = append(list, f)
		}
	}
	return list
}

func printFlow(w io.Writer, f compare.Flow, wide bool) {
	from := f.From
	if f.From == compare.AnySource {
		from = "everybody"
	}
	fmt.Fprintf(w, "  %s -> %s  %s\n", from, f.To, f.Request)
	if f.Before == compare.Partly || f.After == compare.Partly {
		fmt.Fprintf(w, "    %s, previously %s\n", f.After, f.Before)
	}
	if len(f.By) > 0 {
		when := "by"
		if f.Denies() {
			when = "previously by"
		}
		fmt.Fprintf(w, "    %s: %s\n", when, strings.Join(f.By, ", "))
	}
	if f.Seen != "" {
		fmt.Fprintf(w, "    after: %s\n", f.Seen)
	}
	if f.Unused {
		fmt.Fprintf(w, "    no pod of the mesh uses service account %s\n", f.From)
	}
	if wide && f.Example != "" {
		fmt.Fprintf(w, "    for example: %s\n", f.Example)
	}
}

// bytesText formats a number of bytes.
func bytesText(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// Names returns the changed workloads, for -o name.
func (p *Plan) Names() []string {
	var all []string
	for _, one := range p.Proxies {
		all = append(all, strings.Replace(one.Workload, " ", "/", 1))
	}
	return all
}
