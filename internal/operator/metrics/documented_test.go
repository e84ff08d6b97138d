package metrics

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// descriptions records the registered metrics.
type descriptions struct {
	prometheus.Registerer
	all []*prometheus.Desc
}

func (d *descriptions) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 100)
	c.Describe(descs)
	close(descs)
	for desc := range descs {
		d.all = append(d.all, desc)
	}
	return nil
}

// docs/observability.md lists every metric.
func TestEveryMetricIsDocumented(t *testing.T) {
	registered := &descriptions{}
	if _, err := NewRecorder(registered); err != nil {
		t.Fatal(err)
	}
	if err := registered.Register(NewCollector(nil, nil)); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`fqName: "([^"]+)", help: "[^"]+"`)
	registeredNames := map[string]bool{}
	for _, desc := range registered.all {
		parts := name.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("%s has no help", desc)
		}
		registeredNames[parts[1]] = true
	}
	page, err := os.ReadFile("../../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(osm_operator_[a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(registeredNames)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("metrics (-registered +documented):\n%s", diff)
	}
}
