package pages

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagesMatchOutput runs all pages, one after the other. Each page must remove the objects and files that it creates.
func TestPagesMatchOutput(t *testing.T) {
	var found []string
	for _, folder := range []string{"first-hour", "help", "traffic"} {
		pages, err := filepath.Glob(cluster.Repository.Path("docs", folder, "*.md"))
		if err != nil || len(pages) == 0 {
			t.Fatalf("no pages in docs/%s: %v", folder, err)
		}
		found = append(found, pages...)
	}
	found = append(found,
		cluster.Repository.Path("docs", "cli", "walkthrough.md"),
		cluster.Repository.Path("docs", "tutorials", "your-own-application.md"),
	)
	for _, page := range found {
		if filepath.Base(page) == "README.md" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Cleanup(func() { describeFailure(t) })
			startCurl(t)
			before := inventory(t)
			reader := newReader(t)
			reader.follow(t, page)
			if diff := cmp.Diff(before, inventory(t)); diff != "" {
				t.Errorf("%s changes the demo (-before +after):\n%s", page, diff)
			}
			if left := reader.leftovers(t); len(left) > 0 {
				t.Errorf("%s leaves files behind: %v", page, left)
			}
		})
	}
}

// startCurl starts the pods that pages send requests from. The walkthrough deletes them at its end.
func startCurl(t *testing.T) {
	t.Helper()
	if err := cluster.ApplyFile(t.Context(), "config", "samples", "bookstore", "curl"); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Available(t.Context(), demoLimit, "bookbuyer", "bookthief"); err != nil {
		t.Fatal(err)
	}
}

// inventory lists the policies and Services of the demo, and the settings of the mesh.
func inventory(t *testing.T) []string {
	t.Helper()
	// The Gateway API has TCPRoutes too. Which of both the short name means changes when kubectl discovers the APIs again.
	kinds := "services,traffictargets,httproutegroups,tcproutes.specs.smi-spec.io,trafficsplits,retries,upstreamtrafficsettings,ingressbackends,egresses"
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

// described is true after the state of the demo was logged. All failures share one description.
var described bool

// describeFailure logs the state of the demo if the test failed.
func describeFailure(t *testing.T) {
	if !t.Failed() || described {
		return
	}
	described = true
	for _, namespace := range append([]string{tutorialNamespace}, demoNamespaces...) {
		t.Log(cluster.Describe(context.Background(), namespace))
	}
}
