package demo

import (
	"fmt"
	"maps"
	"slices"
)

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
