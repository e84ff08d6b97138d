package datapath

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

var update = flag.Bool("update", false, "write the parts of a request instead of comparing with them")

const partsFile = "testdata/parts.md"

// A request must not pass through more parts of the configuration than before, unless the table has the reason. BenchmarkParts measures what parts cost.
// The name puts the test into the suite of golden files.
func TestGoldenParts(t *testing.T) {
	measured := partsTable{}
	for _, p := range protocols {
		inbound, outbound := serverScope(p), clientScope(p)
		measured.addColumn(p.name+" client", countParts(t, p, envoy.Build(outbound)))
		measured.addColumn(p.name+" server", countParts(t, p, envoy.Build(inbound)))
	}
	recorded := readParts(t)
	if *update {
		if err := os.WriteFile(partsFile, []byte(recorded.updated(measured).String()), 0o644); err != nil {
			t.Fatal(err)
		}
		recorded = readParts(t)
	}
	for _, complaint := range recorded.compare(measured) {
		t.Error(complaint)
	}
}

// Whatever BenchmarkParts takes away must be counted, or else the table would not show its return.
func TestPartsAreCounted(t *testing.T) {
	for _, protocol := range protocols[:3] {
		seen := map[string]string{}
		for _, p := range partsOf(t, protocol) {
			all := partsTable{}
			all.addColumn("client", countParts(t, protocol, p.apply(t, envoy.Build(clientScope(protocol)))))
			all.addColumn("server", countParts(t, protocol, p.apply(t, envoy.Build(serverScope(protocol)))))
			counts := all.String()
			if other, is := seen[counts]; is {
				t.Errorf("%s: %s has the same counts as %s", protocol.name, p.name, other)
			}
			seen[counts] = p.name
		}
	}
}

// readParts reads the recorded table. It is empty if there is no file.
func readParts(t *testing.T) partsTable {
	t.Helper()
	text, err := os.ReadFile(partsFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	table, err := parseParts(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// table returns a table with one column and one row.
func table(c cell, reason string) partsTable {
	return partsTable{columns: []string{"TCP"}, rows: []partsRow{{"loggers", []cell{c}, reason}}}
}

func TestComparePartsTables(t *testing.T) {
	for name, test := range map[string]struct {
		recorded partsTable
		measured float64
		want     string
	}{
		"equal":                    {table(cell{3, 3}, ""), 3, ""},
		"more":                     {table(cell{3, 3}, ""), 4, "loggers, TCP: 4, and 3 in"},
		"fewer":                    {table(cell{3, 3}, ""), 2, "loggers, TCP: 2, and 3 in"},
		"accepted":                 {table(cell{4, 3}, "a reason"), 4, ""},
		"accepted without reason":  {table(cell{4, 3}, ""), 4, "has no reason"},
		"more than accepted":       {table(cell{4, 3}, "a reason"), 5, "5, and 4 in"},
		"a reason without a need":  {table(cell{3, 3}, "a reason"), 3, ""},
		"a row that nobody counts": {partsTable{columns: []string{"TCP"}, rows: []partsRow{{"spans", []cell{{1, 1}}, ""}}}, 3, "other rows or columns"},
	} {
		got := strings.Join(test.recorded.compare(table(cell{test.measured, test.measured}, "")), "\n")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// The smallest number is never forgotten, so a larger one needs a reason after any number of updates.
func TestUpdatePartsTables(t *testing.T) {
	for name, test := range map[string]struct {
		recorded partsTable
		measured float64
		want     partsTable
	}{
		"new":      {partsTable{}, 3, table(cell{3, 3}, "")},
		"more":     {table(cell{3, 3}, ""), 4, table(cell{4, 3}, "")},
		"fewer":    {table(cell{3, 3}, ""), 2, table(cell{2, 2}, "")},
		"again":    {table(cell{4, 3}, "a reason"), 4, table(cell{4, 3}, "a reason")},
		"regained": {table(cell{4, 3}, "a reason"), 3, table(cell{3, 3}, "")},
	} {
		got := test.recorded.updated(table(cell{test.measured, test.measured}, ""))
		if diff := cmp.Diff(test.want.String(), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		again, err := parseParts(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("%s: %v, read again:\n%s", name, err, again)
		}
	}
}
