package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

const anySource = "destination: {kind: ServiceAccount, name: web, namespace: shop}\nsources: [{kind: ServiceAccount, name: me, namespace: shop}]\n"

// TestTrafficTargetRepeatsNoRule checks that rules for one route object are merged, so that each match of it counts once. A rule without
// matches stays apart: the MeshConfig decides what it selects.
func TestTrafficTargetRepeatsNoRule(t *testing.T) {
	target, problems := TrafficTarget(smi(t, anySource+`
rules:
- {kind: HTTPRouteGroup, name: g, matches: [b]}
- {kind: TCPRoute, name: g}
- {kind: HTTPRouteGroup, name: g}
- {kind: HTTPRouteGroup, name: g, matches: [a, b]}
- {kind: HTTPRouteGroup, name: g}
- {kind: HTTPRouteGroup, name: h, matches: [a]}`))
	if target == nil || len(problems) > 0 {
		t.Fatalf("target %v, problems %v", target, problems)
	}
	want := []catalog.TargetRule{
		{Kind: entity.KindHTTPRouteGroup, Name: "g", Matches: []string{"a", "b"}},
		{Kind: entity.KindTCPRoute, Name: "g"},
		{Kind: entity.KindHTTPRouteGroup, Name: "g"},
		{Kind: entity.KindHTTPRouteGroup, Name: "h", Matches: []string{"a"}},
	}
	if diff := cmp.Diff(want, target.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestTrafficTargetRulesAreBounded checks that a target with too many rules grants nothing.
func TestTrafficTargetRulesAreBounded(t *testing.T) {
	var rules strings.Builder
	for i := range maxRules {
		fmt.Fprintf(&rules, "- {kind: TCPRoute, name: r%d}\n", i)
	}
	if target, problems := TrafficTarget(smi(t, anySource+"rules:\n"+rules.String())); target == nil || len(target.Rules) != maxRules || len(problems) > 0 {
		t.Errorf("%d rules are rejected: %v", maxRules, problems)
	}
	target, problems := TrafficTarget(smi(t, anySource+"rules:\n"+rules.String()+"- {kind: TCPRoute, name: more}"))
	if target != nil || len(problems) != 1 || problems[0].Reason != ReasonUnsupported || problems[0].Warning {
		t.Errorf("%d rules: target %v, problems %v", maxRules+1, target, problems)
	}
}
