package browser_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

const (
	searchBox   = `input.md-search__input`
	foundResult = `.md-search-result__item a[href*="traffic/circuit-breaking.html"]`
)

// TestDocumentationSiteIsSearched opens the built site as files, without a server, and finds a page with the search.
func TestDocumentationSiteIsSearched(t *testing.T) {
	lab.RequireFull(t)
	start := "file://" + filepath.Join(buildSite(t), "index.html")
	b := newTab(t)
	b.run(t, chromedp.Navigate(start), chromedp.WaitVisible(searchBox))
	checkLoadsFilesOnly(t, b)
	b.run(t,
		chromedp.Click(searchBox), chromedp.SendKeys(searchBox, "circuit breaking"),
		chromedp.WaitVisible(foundResult), chromedp.Click(foundResult),
		chromedp.WaitVisible(`h1#circuit-breaking`),
	)
	checkLoadsFilesOnly(t, b)
	if found := b.errors(); len(found) > 0 {
		t.Errorf("the browser reports %v", found)
	}
}

func buildSite(t *testing.T) string {
	t.Helper()
	repository, err := lab.FindRepository()
	if err != nil {
		t.Fatal(err)
	}
	site, err := repository.ToolOutput(t.Context(), "./docssite", "-out", filepath.Join(t.TempDir(), "site"))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// checkLoadsFilesOnly fails if the page has loaded anything from the network.
func checkLoadsFilesOnly(t *testing.T, b *tab) {
	t.Helper()
	loaded := value(t, b, chromedp.Evaluate[[]string](`performance.getEntriesByType('resource').map((e) => e.name)`))
	for _, address := range loaded {
		if !strings.HasPrefix(address, "file://") && !strings.HasPrefix(address, "data:") {
			t.Errorf("the page loads %s, want only files of the site", address)
		}
	}
}
