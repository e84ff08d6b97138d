package scope_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestExcludingPolicyGrantsNothing excludes a policy from a random mesh and checks that this grants no permission.
func TestExcludingPolicyGrantsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := catalog.New()
		c.Apply([]catalog.Change{
			catalog.Set(&catalog.Namespace{Name: "a", Monitored: true}), catalog.Set(&catalog.Namespace{Name: "b", Monitored: true}),
			catalog.Set(&catalog.Settings{}),
		})
		var policies []entity.Ref
		var accounts []identity.ServiceAccount
		for _, change := range rapid.SliceOfN(meshtest.Change(), 5, 40).Draw(rt, "mesh") {
			c.Apply([]catalog.Change{change})
			if change.Ref.Kind.IsPolicy() {
				policies = append(policies, change.Ref)
			}
			if target, ok := change.Entry.(*catalog.TrafficTarget); ok {
				accounts = append(append(accounts, target.Destination), target.Sources...)
			}
		}
		if len(policies) == 0 || len(accounts) == 0 {
			return
		}
		with := c.View()
		without := c.ViewWithout(map[entity.Ref]struct{}{rapid.SampledFrom(policies).Draw(rt, "policy"): {}})
		if with.Settings().Permissive {
			return
		}
		port := uint16(rapid.SampledFrom([]int{80, 81, 8080}).Draw(rt, "port"))
		protocol := rapid.SampledFrom([]inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolTCP}).Draw(rt, "protocol")
		for _, destination := range accounts {
			checkSubset(rt, authz.InboundRules(with, destination, port, protocol), authz.InboundRules(without, destination, port, protocol))
			for _, source := range accounts {
				if authz.MayConnect(without, source, destination, port, protocol) && !authz.MayConnect(with, source, destination, port, protocol) {
					rt.Fatalf("%s may call %s only without the policy", source, destination)
				}
			}
		}
	})
}

// checkSubset fails if the rules without a policy grant more than those with it.
func checkSubset(rt *rapid.T, with, without authz.Rules) {
	for _, rule := range without.Network {
		for _, source := range rule.Sources {
			if !slices.ContainsFunc(with.Network, func(r authz.NetworkRule) bool { return slices.Contains(r.Sources, source) }) {
				rt.Fatalf("%s may connect only without the policy", source)
			}
		}
	}
	for _, route := range without.Routes {
		for _, source := range route.Sources {
			if !grants(with, route, source) {
				rt.Fatalf("%s may send %+v only without the policy", source, route.Match)
			}
		}
	}
}

func grants(rules authz.Rules, route authz.Route, source identity.ServiceAccount) bool {
	return slices.ContainsFunc(rules.Routes, func(r authz.Route) bool {
		return r.Match.PathRegex == route.Match.PathRegex && slices.Equal(r.Match.Methods, route.Match.Methods) &&
			slices.Equal(r.Match.Headers, route.Match.Headers) && slices.Contains(r.Sources, source)
	})
}
