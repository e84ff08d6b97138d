package demo

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
)

// Page is the content of a program's page, which reloads itself every two seconds.
type Page struct {
	// Title is the display name of the program.
	Title string
	// Tagline describes the program in a few words.
	Tagline string
	// Hue is the color of the page in degrees of the color wheel, which distinguishes open pages.
	Hue int
	// Numbers are the large figures at the top.
	Numbers []Number
	// Split is drawn as a bar with one colored segment for each share.
	Split []Share
	// Tables are shown below the numbers.
	Tables []Table
}

// Number is a large figure with its label.
type Number struct{ Label, Value string }

// Share is one segment of a split.
type Share struct {
	// Name is the label of the segment, such as "bookstore-v1".
	Name string
	// Count is the number of items in the segment.
	Count int
	// Percent is the share in all items, Recent the share in the latest ones.
	Percent, Recent float64
}

// Table is a list of names with counts.
type Table struct {
	// Title is the heading of the list.
	Title string
	// Rows are in display order.
	Rows []Row
}

// Row is one row of a table.
type Row struct {
	// Name is shown on the left, Count on the right.
	Name, Count string
	// Good is true if the row counts successes.
	Good bool
}

//go:embed page.html
var pageHTML string

// render writes a page. It renders to a buffer first, so that an error of the template sends no partial page.
func render(w http.ResponseWriter, p Page) {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Writing can only fail if the browser disconnected.
	_, _ = out.WriteTo(w)
}
