package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
)

// Web serves the endpoints of a program: its page on /, its counters on /counters, its probes, and the paths added with
// HandleFunc.
type Web struct {
	mux      *http.ServeMux
	stopping atomic.Bool
}

// NewWeb returns a Web. Both functions are called for every request and must be safe for concurrent use.
func NewWeb(page func() Page, counters func() any) *Web {
	w := &Web{mux: http.NewServeMux()}
	w.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) { render(rw, page()) })
	w.HandleFunc("GET /counters", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(rw)
		enc.SetIndent("", "  ")
		// Encoding can only fail if the client disconnected.
		_ = enc.Encode(counters())
	})
	w.HandleFunc("GET /health", w.ready)
	w.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	return w
}

// HandleFunc registers a path, in the pattern syntax of http.ServeMux.
func (w *Web) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	w.mux.HandleFunc(pattern, f)
}

// Stopping makes readiness fail and closes connections after each response, while all other paths are still served.
func (w *Web) Stopping() {
	w.stopping.Store(true)
}

// ServeHTTP serves a request.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.stopping.Load() {
		rw.Header().Set("Connection", "close")
	}
	w.mux.ServeHTTP(rw, r)
}

func (w *Web) ready(rw http.ResponseWriter, _ *http.Request) {
	if w.stopping.Load() {
		http.Error(rw, "stopping", http.StatusServiceUnavailable)
	}
}

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

func shopperPage(c Counters) Page {
	p := Page{Title: "Bookbuyer", Tagline: "buys books, as the policies allow", Hue: 160}
	label := "books bought"
	if c.App == "bookthief" {
		p = Page{Title: "Bookthief", Tagline: "takes books, if the policies let it", Hue: 350}
		label = "books stolen"
	}
	got := 0
	for _, name := range slices.Sorted(maps.Keys(c.Identities)) {
		got += c.Identities[name]
		p.Split = append(p.Split, Share{Name: name, Count: c.Identities[name], Percent: c.Percent[name], Recent: c.RecentPercent[name]})
	}
	p.Numbers = []Number{{label, fmt.Sprint(got)}, {"requests", fmt.Sprint(c.Requests)}}
	for _, path := range slices.Sorted(maps.Keys(c.Paths)) {
		p.Tables = append(p.Tables, Table{Title: "GET " + path, Rows: outcomeRows(c.Paths[path])})
	}
	return p
}

func storePage(c StoreCounters) Page {
	return Page{
		Title: "Bookstore", Tagline: "sells books as " + c.Identity, Hue: 220,
		Numbers: []Number{{"books sold", fmt.Sprint(c.BooksSold)}, {"restocked", fmt.Sprint(c.Restocked)}, {"to restock", fmt.Sprint(c.ToRestock)}},
		Tables:  []Table{{Title: "POST " + PathRestock + " at the bookwarehouse", Rows: outcomeRows(c.Outcomes)}},
	}
}

func warehousePage(c WarehouseCounters) Page {
	books := Table{Title: "restocked since the start, by bookstore"}
	for _, name := range slices.Sorted(maps.Keys(c.Books)) {
		books.Rows = append(books.Rows, Row{Name: name, Count: fmt.Sprint(c.Books[name]), Good: true})
	}
	return Page{
		Title: "Bookwarehouse", Tagline: "restocks books in MySQL", Hue: 35,
		Numbers: []Number{{"books in the database", fmt.Sprint(c.Total)}, {"failures", fmt.Sprint(c.Failures)}},
		Tables: []Table{books, {Title: "database session held open", Rows: []Row{
			{Name: "age", Count: fmt.Sprintf("%d s", c.Session.Seconds), Good: c.Session.ID != 0},
			{Name: "queries", Count: fmt.Sprint(c.Session.Queries), Good: true},
			{Name: "lost before", Count: fmt.Sprint(c.Session.Lost), Good: c.Session.Lost == 0},
		}}},
	}
}

// outcomeRows returns the outcomes sorted by name; only 200 is good.
func outcomeRows(outcomes map[string]int) []Row {
	var rows []Row
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		rows = append(rows, Row{Name: name, Count: fmt.Sprint(outcomes[name]), Good: name == "200"})
	}
	return rows
}
