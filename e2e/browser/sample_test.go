package browser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
)

// TestSampleIsNamed shows on which requests latencies are based, above the graph and in the table, on a wide and on a narrow screen. Settings that cannot
// be read are not shown as defaults.
func TestSampleIsNamed(t *testing.T) {
	const note = "Latencies in access logs are those of 10% of the requests."
	b := open(t, func(context.Context) (*page.State, error) {
		s := bookstore()
		s.Latencies, s.Mesh.Settings = note, nil
		return s, nil
	})
	for _, width := range []int64{1400, 500} {
		b.run(t, chromedp.EmulateViewport(width, 900), chromedp.Reload(), ready(), chromedp.Click("#traffic summary"), chromedp.WaitVisible("#edges-table table"))
		for selector, want := range map[string]string{"#sources": note, "#edges-table": note, "#summary": "settings unknown"} {
			if text := b.text(t, selector); !strings.Contains(text, want) {
				t.Errorf("%d pixels: %s has the text %q, without %q", width, selector, text, want)
			}
		}
		if text := b.text(t, "#summary"); strings.Contains(text, "policies allow") || strings.Contains(text, "egress") {
			t.Errorf("the summary is %q, although the settings are unknown", text)
		}
		if wide := value(t, b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
			t.Errorf("the page is wider than %d pixels", width)
		}
	}
}
