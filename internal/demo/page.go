package demo

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
)

// Page is what a program's page shows. The page reloads itself every two seconds.
type Page struct {
	// Title is the program's name as people read it.
	Title string
	// Tagline says in a few words what the program does.
	Tagline string
	// Hue colours the page, in degrees of the colour wheel, so that several open pages are told apart.
	Hue int
	// Numbers are the large figures at the top.
	Numbers []Number
	// Split is drawn as one bar of coloured parts.
	Split []Share
	// Tables follow below.
	Tables []Table
}

// Number is a large figure with its label.
type Number struct{ Label, Value string }

// Share is one part of a split.
type Share struct {
	// Name is what the part stands for, such as "bookstore-v1".
	Name string
	// Count is the number of things in it.
	Count int
	// Percent is its part in all, Recent its part in the latest ones.
	Percent, Recent float64
}

// Table is a list of names with counts.
type Table struct {
	// Title names the list.
	Title string
	// Rows are in the order shown.
	Rows []Row
}

// Row is a line of a table.
type Row struct {
	// Name is shown at the left, Count at the right.
	Name, Count string
	// Good says whether the line tells of success.
	Good bool
}

//go:embed page.html
var pageHTML string

// render writes a page; a template that fails is a programming error, and then nothing half-written is sent.
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
	// A browser that went away is all that can fail here.
	_, _ = out.WriteTo(w)
}
