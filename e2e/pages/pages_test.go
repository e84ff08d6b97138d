package pages

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagesShowWhatHappens follows the pages one after the other: each leaves the demo as it found it.
func TestPagesShowWhatHappens(t *testing.T) {
	found, err := filepath.Glob(cluster.Repository.Path("docs", "traffic", "*.md"))
	if err != nil || len(found) == 0 {
		t.Fatalf("there are no pages in docs/traffic: %v", err)
	}
	found = append(found, cluster.Repository.Path("docs", "cli", "walkthrough.md"))
	for _, page := range found {
		if filepath.Base(page) == "README.md" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Cleanup(func() { describeFailure(t) })
			before := inventory(t)
			newReader(t).follow(t, page)
			if diff := cmp.Diff(before, inventory(t)); diff != "" {
				t.Errorf("%s leaves the demo another than it was (-before +after):\n%s", page, diff)
			}
		})
	}
}

// inventory lists the policies of the demo, its Services, and the settings of the mesh.
func inventory(t *testing.T) []string {
	t.Helper()
	kinds := "services,traffictargets,httproutegroups,tcproutes,trafficsplits,retries,upstreamtrafficsettings"
	objects, err := cluster.Kubectl(t.Context(), "get", kinds, "-A", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := cluster.Kubectl(t.Context(), "get", "meshconfigs,trafficsplits", "-A", "-o", "jsonpath={.items[*].spec}")
	if err != nil {
		t.Fatal(err)
	}
	return append(strings.Fields(objects), settings)
}

// described is true once the state of the demo was told: once is enough for all that failed in it.
var described bool

// describeFailure tells what happened in the demo if the test failed.
func describeFailure(t *testing.T) {
	if !t.Failed() || described {
		return
	}
	described = true
	for _, namespace := range demoNamespaces {
		t.Log(cluster.Describe(context.Background(), namespace))
	}
}
