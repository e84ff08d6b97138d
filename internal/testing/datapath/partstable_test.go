package datapath

import (
	"fmt"
	"slices"
	"strings"
)

// partsTable has a row for each part, and a column for each protocol and side.
type partsTable struct {
	columns []string
	rows    []partsRow
}

type partsRow struct {
	part  string
	cells []cell
	// reason is why a number grew.
	reason string
}

// cell is the number of a part.
type cell struct {
	value float64
	// best is the smallest value that the table ever had.
	best float64
}

// String implements fmt.Stringer.
func (c cell) String() string {
	if c.value > c.best {
		return fmt.Sprintf("%g (was %g)", c.value, c.best)
	}
	return fmt.Sprintf("%g", c.value)
}

func parseCell(text string) (cell, error) {
	c := cell{}
	if _, err := fmt.Sscanf(text, "%g (was %g)", &c.value, &c.best); err == nil {
		return c, nil
	}
	_, err := fmt.Sscanf(text, "%g", &c.value)
	c.best = c.value
	return c, err
}

// addColumn adds what countParts counted.
func (t *partsTable) addColumn(name string, parts map[string]float64) {
	t.columns = append(t.columns, name)
	if t.rows == nil {
		t.rows = make([]partsRow, len(partNames))
	}
	for i, part := range partNames {
		t.rows[i].part = part
		t.rows[i].cells = append(t.rows[i].cells, cell{parts[part], parts[part]})
	}
}

// find returns the cell and the reason of its row.
func (t *partsTable) find(part, column string) (cell, string, bool) {
	row, col := slices.IndexFunc(t.rows, func(r partsRow) bool { return r.part == part }), slices.Index(t.columns, column)
	if row < 0 || col < 0 {
		return cell{}, "", false
	}
	return t.rows[row].cells[col], t.rows[row].reason, true
}

// compare describes the differences from what was measured, and the numbers that grew without a reason.
func (t partsTable) compare(measured partsTable) []string {
	var complaints []string
	for _, row := range measured.rows {
		for i, column := range measured.columns {
			recorded, reason, _ := t.find(row.part, column)
			name := row.part + ", " + column
			switch value := row.cells[i].value; {
			case value > recorded.value:
				complaints = append(complaints, fmt.Sprintf("%s: %g, and %g in %s: mend it, or run the test with -update and write the reason into the row", name, value, recorded.value, partsFile))
			case value < recorded.value:
				complaints = append(complaints, fmt.Sprintf("%s: %g, and %g in %s: run the test with -update", name, value, recorded.value, partsFile))
			case recorded.value > recorded.best && reason == "":
				complaints = append(complaints, fmt.Sprintf("%s: %s has no reason in %s", name, recorded, partsFile))
			}
		}
	}
	if !slices.Equal(t.columns, measured.columns) || !slices.EqualFunc(t.rows, measured.rows, func(a, b partsRow) bool { return a.part == b.part }) {
		complaints = append(complaints, partsFile+" has other rows or columns: run the test with -update")
	}
	return complaints
}

// updated returns what was measured, with the smallest values and the reasons of the table.
func (t partsTable) updated(measured partsTable) partsTable {
	out := partsTable{columns: measured.columns}
	for _, row := range measured.rows {
		updated, grew := partsRow{part: row.part}, false
		for i, column := range measured.columns {
			c := row.cells[i]
			if recorded, reason, is := t.find(row.part, column); is {
				c.best, updated.reason = min(c.value, recorded.best), reason
			}
			grew = grew || c.value > c.best
			updated.cells = append(updated.cells, c)
		}
		if !grew {
			updated.reason = ""
		}
		out.rows = append(out.rows, updated)
	}
	return out
}

// String implements fmt.Stringer. It is a table of Markdown.
func (t partsTable) String() string {
	var out strings.Builder
	line := func(cells ...string) { out.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(slices.Concat([]string{"Part"}, t.columns, []string{"Reason of growth"})...)
	line(slices.Concat([]string{"---"}, slices.Repeat([]string{"---:"}, len(t.columns)), []string{"---"})...)
	for _, row := range t.rows {
		cells := []string{row.part}
		for _, c := range row.cells {
			cells = append(cells, c.String())
		}
		line(append(cells, row.reason)...)
	}
	return out.String()
}

// parseParts reads what String wrote.
func parseParts(text string) (partsTable, error) {
	var out partsTable
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fields := strings.Split(line, "|")
		if len(fields) < 4 {
			continue // no table yet
		}
		for k := range fields {
			fields[k] = strings.TrimSpace(fields[k])
		}
		part, values, reason := fields[1], fields[2:len(fields)-2], fields[len(fields)-2]
		if i == 0 {
			out.columns = values
		}
		if i < 2 {
			continue
		}
		row := partsRow{part: part, reason: reason}
		for _, value := range values {
			c, err := parseCell(value)
			if err != nil {
				return partsTable{}, fmt.Errorf("%s: %q is no number: %w", part, value, err)
			}
			row.cells = append(row.cells, c)
		}
		out.rows = append(out.rows, row)
	}
	return out, nil
}
