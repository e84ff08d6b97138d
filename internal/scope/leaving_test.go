package scope_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLeaving: a mesh that is taken apart lets everybody in first. Only then it stops to send by its own rules; what was asked for
// before is still answered, by what it was led to.
func TestLeaving(t *testing.T) {
	want := map[string]string{"shop/web:80": "shop/web|80=100", "shop/twin:80": "shop/twin|80=100"}
	for _, permissive := range []bool{false, true} {
		for _, test := range []struct {
			leaving                   catalog.Leaving
			open, egress, transparent bool
		}{
			{0, false, false, false}, {catalog.LeavingOpen, true, false, false}, {catalog.LeavingTransparent, true, true, true},
		} {
			c := web(target("t", "one", "job"), &catalog.Settings{Permissive: permissive, Leaving: test.leaving})
			key := scope.KeyFor(c.View(), Pod("shop", "job", "job", "job", "10.0.0.9"))
			s := scope.BuildSharing(c.View(), trustDomain, key, scope.Common(c.View()))
			if s.Open != test.open || s.Egress != test.egress || s.Transparent != test.transparent {
				t.Errorf("permissive %t, leaving %d: open %t, egress %t and transparent %t, want %+v", permissive, test.leaving, s.Open, s.Egress, s.Transparent, test)
			}
			if diff := cmp.Diff(want, outbound(s)); diff != "" {
				t.Errorf("permissive %t, leaving %d: outbound (-want +got):\n%s", permissive, test.leaving, diff)
			}
			if len(s.Clusters) != 2 {
				t.Errorf("permissive %t, leaving %d: %d clusters, want those of both Services", permissive, test.leaving, len(s.Clusters))
			}
			// What is shared has listeners that lead to the mesh.
			if shares := scope.SharesCommon(c.View(), key.Identity); shares != (permissive && !test.transparent) {
				t.Errorf("permissive %t, leaving %d: it shares destinations: %t", permissive, test.leaving, shares)
			}
		}
	}
}
