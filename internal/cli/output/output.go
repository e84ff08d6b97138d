package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Forms are the values of -o.
var Forms = []string{"json", "yaml", "name", "wide"}

// Flag holds the flags -o and --no-headers.
type Flag struct {
	form      string
	noHeaders bool
}

// AddTo adds -o and --no-headers to a flag set.
func (f *Flag) AddTo(set *pflag.FlagSet) {
	set.VarP(f, "output", "o", "output format: "+strings.Join(Forms, ", ")+" (default: a table)")
	set.BoolVar(&f.noHeaders, "no-headers", false, "print tables without headers")
}

// String implements pflag.Value.
func (f *Flag) String() string { return f.form }

// Set implements pflag.Value.
func (f *Flag) Set(form string) error { f.form = form; return nil }

// Type implements pflag.Value.
func (f *Flag) Type() string { return "string" }

// Check returns an error if -o in a flag set has an unknown value. Sets may have another flag of that name, or none.
func Check(set *pflag.FlagSet) error {
	flag := set.Lookup("output")
	if flag == nil {
		return nil
	}
	if f, ok := flag.Value.(*Flag); ok && f.form != "" && !slices.Contains(Forms, f.form) {
		return fmt.Errorf("invalid output format %s: must be one of %s", f.form, strings.Join(Forms, ", "))
	}
	return nil
}

// ForPeople returns true for table output, which may be accompanied by messages.
func (f *Flag) ForPeople() bool { return f.form == "" || f.form == "wide" }

// Wide returns true for -o wide.
func (f *Flag) Wide() bool { return f.form == "wide" }

// Table is the content of table output.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Column is one column of a table.
type Column struct {
	Name string
	// Wide columns are only shown with -o wide.
	Wide bool
}

// Columns returns columns that are always shown.
func Columns(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i].Name = name
	}
	return columns
}

// Result is the output of a command.
type Result struct {
	// Data is printed as JSON or YAML.
	Data any
	// Names are "<kind>/<name>" of the objects, for -o name.
	Names []string
	Table Table
	// Text writes the result for people, instead of the table. It may be nil.
	Text func(io.Writer) error
}

// List returns a result with a name and a row for each item.
func List[T any](data any, items []T, columns []Column, row func(T) (name string, cells []string)) Result {
	r := Result{Data: data, Table: Table{Columns: columns}}
	for _, item := range items {
		name, cells := row(item)
		r.Names, r.Table.Rows = append(r.Names, name), append(r.Table.Rows, cells)
	}
	return r
}

// Count formats a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Print writes a result in the format of -o.
func (f *Flag) Print(w io.Writer, r Result) error {
	if r.Text != nil && f.ForPeople() {
		return r.Text(w)
	}
	switch f.form {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "    ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r.Data)
	case "yaml":
		text, err := yaml.Marshal(r.Data)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	case "name":
		for _, name := range r.Names {
			fmt.Fprintln(w, name)
		}
		return nil
	}
	return r.Table.write(w, f.Wide(), !f.noHeaders)
}

// write prints the table with the alignment of kubectl.
func (t Table) write(w io.Writer, wide, headers bool) error {
	aligned := printers.GetNewTabWriter(w)
	line := func(cells []string) {
		var shown []string
		for i, cell := range cells {
			if wide || !t.Columns[i].Wide {
				shown = append(shown, cell)
			}
		}
		fmt.Fprintln(aligned, strings.Join(shown, "\t"))
	}
	if headers {
		line(lists.Map(t.Columns, func(c Column) string { return c.Name }))
	}
	for _, row := range t.Rows {
		line(row)
	}
	return aligned.Flush()
}
