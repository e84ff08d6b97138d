package page_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestAveragesAreNamed has the first reports after a pause: their rates are shown, and the page has their period.
func TestAveragesAreNamed(t *testing.T) {
	r := shop(t, nil)
	r.Loads = func(context.Context) ([]report.Load, bool, error) {
		counts := report.LoadCounts{Issued: 1200, Succeeded: 1200}
		return []report.Load{{Client: "shop/buyer", Cluster: "shop/web|80", Rate: 2, Seconds: 600, Average: true, LoadCounts: counts}}, false, nil
	}
	s := read(t, r)
	if text := strings.Join(s.Sources, " "); !strings.Contains(text, "averages of up to 10m") {
		t.Errorf("sources %q, want the period of the averages", text)
	}
	if e := s.Edges[len(s.Edges)-1]; e.Rate != 2 || e.Success == nil {
		t.Errorf("edge %+v, want its average rate", e)
	}
}
