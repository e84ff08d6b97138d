package crdreference_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/packaging/crdreference"
)

func kinds(t *testing.T) []crdreference.Kind {
	t.Helper()
	kinds, err := crdreference.ReadKinds(crd.Own, crd.SMI, crd.MCS)
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

func TestEveryFieldHasADescription(t *testing.T) {
	for _, kind := range kinds(t) {
		for _, version := range kind.Versions {
			if version.Description == "" {
				t.Errorf("%s %s has no description", kind.Name, version.Name)
			}
			for _, field := range append(version.Spec, version.Status...) {
				// A field may consist of its default.
				if field.Description == "" && field.Default == "" {
					t.Errorf("%s %s: %s has no description", kind.Name, version.Name, field.Path)
				}
			}
		}
	}
}

func TestDefaultsAreInTheirColumn(t *testing.T) {
	for _, kind := range kinds(t) {
		for _, field := range kind.Versions[0].Spec {
			if strings.Contains(field.Description, "Default: ") {
				t.Errorf("%s: the default of %s is in the description %q", kind.Name, field.Path, field.Description)
			}
		}
	}
}

// cellBoundary is a vertical bar that ends a cell of a table.
var cellBoundary = regexp.MustCompile(`(^|[^\\])\|`)

func TestRowsHaveSixCells(t *testing.T) {
	pages, err := crdreference.Pages(crd.Own, crd.SMI, crd.MCS)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for name, page := range pages {
		for line := range strings.Lines(string(page)) {
			if !strings.HasPrefix(line, "| `spec") && !strings.HasPrefix(line, "| `status") {
				continue
			}
			rows++
			if cells := len(cellBoundary.FindAllString(line, -1)) - 1; cells != 6 {
				t.Errorf("%s: a row has %d cells: %s", name, cells, line)
			}
		}
	}
	if rows < 500 {
		t.Errorf("the pages have %d rows: fields are missing", rows)
	}
}
