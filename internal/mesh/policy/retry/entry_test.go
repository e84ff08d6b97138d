package retry_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestInForce finds the policy of a client for a Service, and what it depends on.
func TestInForce(t *testing.T) {
	buyer, shop := SA("bookbuyer", "buyer"), Name("bookstore", "shop")
	policy := &retry.Policy{Name: Name(buyer.Namespace, "r"), Source: buyer, Destinations: []entity.Name{shop}}
	c := Apply(policy)
	if retry.InForce(c.View(), buyer, shop) != policy {
		t.Error("the client's Retry is not found")
	}
	if retry.InForce(c.View(), buyer, Name("bookstore", "other")) != nil {
		t.Error("another Service has the Retry too")
	}
	if retry.InForce(c.View(), SA("bookbuyer", "thief"), shop) != nil {
		t.Error("another client has the Retry too")
	}
	v := c.View()
	retry.InForce(v, buyer, shop)
	if got := c.Policies(v.Deps()); !slices.Equal(got, []entity.Ref{policy.Ref()}) {
		t.Errorf("policies of the view are %v, want the Retry", got)
	}
}
