package crdreference_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/packaging/crdreference"
)

var update = flag.Bool("update", false, "write the expected page")

func TestPageGolden(t *testing.T) {
	definition, err := os.ReadFile("testdata/crd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kind, err := crdreference.Parse(definition)
	if err != nil {
		t.Fatal(err)
	}
	page, err := crdreference.Page(kind)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/page.md", page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/page.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(page)); diff != "" {
		t.Errorf("the page differs; run with -update if this is intended (-want +got):\n%s", diff)
	}
}

func TestParseRejects(t *testing.T) {
	for name, definition := range map[string]string{
		"no YAML":        "\t",
		"unknown fields": "spec: {versoins: []}",
		"no schema":      "spec: {versions: [{name: v1, served: true, storage: true}]}",
	} {
		if kind, err := crdreference.Parse([]byte(definition)); err == nil {
			t.Errorf("%s: Parse returned %v without an error", name, kind)
		}
	}
}
