package upstream

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// everyPath is the path expression of a limit that matches all requests.
const everyPath = ".*"

// Assess returns what people should know about a policy.
func Assess(v *catalog.View, policy *Policy) []finding.Finding {
	if policy.Service == (entity.Name{}) {
		return outsideLimits(policy)
	}
	found := conflict(v, policy)
	found = append(found, unmatchedLimits(v, policy)...)
	if !v.Exists(finding.Service(policy.Service)) {
		found = append(found, finding.NotFound(finding.NoHost, finding.Service(policy.Service), "Service %s does not exist, so nothing is limited: create it, or correct the name.", policy.Service))
	}
	return found
}

// outsideLimits returns the limits that have no effect on hosts outside the mesh.
func outsideLimits(policy *Policy) []finding.Finding {
	if policy.ConnectionRate == nil && policy.RequestRate == nil && len(policy.Routes) == 0 && policy.HealthCheck == nil &&
		policy.GlobalConnections == nil && policy.GlobalRequests == nil {
		return nil
	}
	return []finding.Finding{finding.NewWarning(finding.OutsideLimits, ingest.ReasonNotUsed,
		"Rate limits and health checks have no effect on hosts outside the mesh: only spec.connectionSettings and spec.outlierDetection apply.")}
}

func conflict(v *catalog.View, policy *Policy) []finding.Finding {
	winner := InForce(v, policy.Service)
	switch {
	case winner == nil || winner.Ref() == policy.Ref():
		return nil
	case winner.Kind != policy.Kind:
		return []finding.Finding{finding.NewConflict(winner.Ref(), "%s %s configures Service %s and has precedence: delete this %s.", winner.Kind, winner.Name, policy.Service, policy.Kind)}
	}
	return []finding.Finding{finding.NewConflict(winner.Ref(), "%s %s is older and already configures Service %s, so this one has no effect: merge them into one.", winner.Kind, winner.Name, policy.Service)}
}

// unmatchedLimits returns the limits for a path that no HTTPRouteGroup has: no request can match them.
func unmatchedLimits(v *catalog.View, policy *Policy) []finding.Finding {
	var found []finding.Finding
	for _, limit := range policy.Routes {
		has := func(g *catalog.HTTPRouteGroup) bool {
			return slices.ContainsFunc(g.Matches, func(match catalog.HTTPMatch) bool { return match.PathRegex == limit.Path })
		}
		if limit.Path != everyPath && !slices.ContainsFunc(v.RouteGroupsIn(policy.Name.Namespace), has) {
			found = append(found, finding.NotFound(finding.NoRouteOfLimit, entity.Ref{},
				"No HTTPRouteGroup of the namespace %s has exactly the pathRegex %q, so the limit of this path in spec.httpRoutes has no effect: use an existing one.", policy.Name.Namespace, limit.Path))
		}
	}
	return found
}
