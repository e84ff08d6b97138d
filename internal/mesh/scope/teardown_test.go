package scope_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestTeardown checks the two steps of a teardown: accept any client, then also pass connections through. Destinations
// of open connections stay in the scope.
func TestTeardown(t *testing.T) {
	want := map[string]string{"shop/web:80": "shop/web|80=100", "shop/second:80": "shop/second|80=100"}
	for _, permissive := range []bool{false, true} {
		for _, test := range []struct {
			teardown                       catalog.Teardown
			acceptAny, egress, passthrough bool
		}{
			{0, false, false, false}, {catalog.TeardownOpen, true, false, false}, {catalog.TeardownPassthrough, true, true, true},
		} {
			c := web(target("t", "one", "job"), &catalog.Settings{Permissive: permissive, Teardown: test.teardown})
			key := scope.KeyFor(c.View(), Pod("shop", "job", "job", "job", "10.0.0.9"))
			s := scope.BuildWithShared(c.View(), identity.OneTrustDomain(trustDomain), key, scope.SharedDestinations(c.View()))
			if s.AcceptAnyClient != test.acceptAny || s.Egress != test.egress || s.Passthrough != test.passthrough {
				t.Errorf("permissive %t, leaving %d: open %t, egress %t and transparent %t, want %+v", permissive, test.teardown, s.AcceptAnyClient, s.Egress, s.Passthrough, test)
			}
			if diff := cmp.Diff(want, outbound(s)); diff != "" {
				t.Errorf("permissive %t, leaving %d: outbound (-want +got):\n%s", permissive, test.teardown, diff)
			}
			if len(s.Clusters) != 2 {
				t.Errorf("permissive %t, leaving %d: %d clusters, want those of both Services", permissive, test.teardown, len(s.Clusters))
			}
			// The listeners of shared destinations would intercept traffic.
			if shares := scope.UsesSharedDestinations(c.View(), key.Identity); shares != (permissive && !test.passthrough) {
				t.Errorf("permissive %t, leaving %d: it shares destinations: %t", permissive, test.teardown, shares)
			}
		}
	}
}
