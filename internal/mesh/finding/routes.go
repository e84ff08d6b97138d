package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// RouteGroups returns the HTTPRouteGroups of a namespace that do not exist.
func RouteGroups(v *catalog.View, namespace string, groups []string) []Finding {
	var missing []Finding
	for _, name := range groups {
		missing = append(missing, Route(v, namespace, catalog.TargetRule{Kind: entity.KindHTTPRouteGroup, Name: name})...)
	}
	return missing
}

// Route returns what is missing of the route object of a rule.
func Route(v *catalog.View, namespace string, rule catalog.TargetRule) []Finding {
	ref := entity.Ref{Kind: rule.Kind, Name: entity.Name{Namespace: namespace, Name: rule.Name}}
	if !v.Exists(ref) {
		return []Finding{NotFound(NoRoute, ref, "%s %s does not exist, so the rule that refers to it grants nothing: create it, or correct the name.", rule.Kind, ref.Name)}
	}
	if rule.Kind != entity.KindHTTPRouteGroup {
		return nil
	}
	group := v.HTTPRouteGroup(ref.Name)
	if group == nil {
		return nil // its own status says why
	}
	var missing []Finding
	for _, name := range rule.Matches {
		if !slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool { return m.Name == name }) {
			missing = append(missing, NotFound(NoMatch, entity.Ref{},
				"HTTPRouteGroup %s has no usable match named %q, so that part of the rule grants nothing: add the match, or correct the name.", ref.Name, name))
		}
	}
	return missing
}

// Numbers formats port numbers.
func Numbers(list []uint16) string {
	return strings.Join(lists.Map(list, func(n uint16) string { return fmt.Sprint(n) }), ", ")
}
