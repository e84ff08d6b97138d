package catalog_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestViewWith reads tentative policies and settings next to the stored ones, which other views keep.
func TestViewWith(t *testing.T) {
	web, till := SA("shop", "web"), SA("front", "till")
	c := Apply(&catalog.Settings{}, Group("shop", "paths", "/a"), Target("stored", web, []catalog.TargetRule{HTTP("paths")}, till))
	view := c.View().With(Group("shop", "paths", "/earlier"), &catalog.Settings{IngressBackends: true})
	view = view.With(Group("shop", "paths", "/b", "/c"), Target("tried", web, []catalog.TargetRule{HTTP("paths")}, till)).Without(nil).Part()
	for _, tt := range []struct {
		name     string
		view     *catalog.View
		targets  int
		matches  int
		switched bool
	}{{"the stored mesh", c.View(), 1, 1, false}, {"the tried one", view, 2, 2, true}} {
		if got := len(tt.view.TargetsTo(web)); got != tt.targets {
			t.Errorf("%s has %d TrafficTargets, want %d", tt.name, got, tt.targets)
		}
		if got := len(tt.view.HTTPRouteGroup(Name("shop", "paths")).Matches); got != tt.matches {
			t.Errorf("%s has %d matches, want %d", tt.name, got, tt.matches)
		}
		if got := tt.view.Settings().IngressBackends; got != tt.switched {
			t.Errorf("IngressBackends of %s: %t", tt.name, got)
		}
	}
}
