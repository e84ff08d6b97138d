package finding_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRoute checks what is missing of the routes of a rule. Matches are those of HTTPRouteGroups.
func TestRoute(t *testing.T) {
	tcp := catalog.TargetRule{Kind: entity.KindTCPRoute, Name: "paths", Matches: []string{"none"}}
	view := Apply(Group("shop", "paths", "/a"), &catalog.TCPRoute{Name: Name("shop", "paths")}, &catalog.Unread{Object: entity.KindHTTPRouteGroup.Ref(Name("shop", "unread"))}).View()
	for name, c := range map[string]struct {
		rule  catalog.TargetRule
		cause finding.Cause
		text  string
	}{
		"a match":                       {HTTP("paths", "/a"), 0, ""},
		"no match of the name":          {HTTP("paths", "/a", "/b"), finding.NoMatch, `HTTPRouteGroup shop/paths has no usable match named "/b"`},
		"no group":                      {HTTP("none", "/a"), finding.NoRoute, "HTTPRouteGroup shop/none does not exist"},
		"a group that cannot be read":   {HTTP("unread", "/a"), 0, ""},
		"a TCPRoute named like a group": {tcp, 0, ""},
		"no TCPRoute":                   {TCP("none"), finding.NoRoute, "TCPRoute shop/none does not exist"},
	} {
		found := finding.Route(view, "shop", c.rule)
		if (len(found) > 0) != (c.cause != 0) || len(found) > 1 || c.cause != 0 && (found[0].Cause != c.cause || !strings.Contains(found[0].Message, c.text)) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestNewSelectorConflict(t *testing.T) {
	ref := entity.Kind("Telemetry").Ref(Name("shop", "new"))
	for winner, want := range map[entity.Name]int{{}: 0, ref.Name: 0, Name("shop", "old"): 1} {
		if found := finding.NewSelectorConflict(ref, winner); len(found) != want || want > 0 && found[0].Winner != ref.Kind.Ref(winner) {
			t.Errorf("with %v in force: %+v", winner, found)
		}
	}
}
