package envoy

import (
	"fmt"
	"slices"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// routePolicy is OSM's name of the policy that allows requests.
const routePolicy = "rbac-for-route"

// requestRBAC allows requests by source. All routes share one set of rules: where matches overlap, a request is
// granted to the sources of both, so a new policy never revokes what another one granted.
func requestRBAC(routes []authz.Route, trustDomains []string) *anypb.Any {
	groups := groupBySources(routes)
	policies := map[string]*rbacv3.Policy{}
	for i, g := range groups {
		who := g.principals(trustDomains)
		if len(who) == 0 {
			continue
		}
		p := newPolicy(who...)
		if len(groups) > 1 {
			p.Permissions = g.permissions()
		}
		name := routePolicy
		if i > 0 {
			name = fmt.Sprintf("%s-%d", routePolicy, i+1)
		}
		policies[name] = p
	}
	return message.Any(&httprbacv3.RBACPerRoute{Rbac: &httprbacv3.RBAC{Rules: allowRules(policies)}})
}

// sourceGroup is a list of routes with the same sources.
type sourceGroup struct {
	anySource bool
	sources   []identity.ServiceAccount
	routes    []authz.Route
}

// groupBySources groups routes by their sources, in order of first appearance.
func groupBySources(routes []authz.Route) []*sourceGroup {
	var groups []*sourceGroup
	for _, r := range routes {
		i := slices.IndexFunc(groups, func(g *sourceGroup) bool {
			return g.anySource == r.AnySource && slices.Equal(g.sources, r.Sources)
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, &sourceGroup{anySource: r.AnySource, sources: r.Sources})
		}
		groups[i].routes = append(groups[i].routes, r)
	}
	return groups
}

func (g *sourceGroup) principals(trustDomains []string) []*rbacv3.Principal {
	if g.anySource {
		return []*rbacv3.Principal{anyPrincipal()}
	}
	return principals(g.sources, trustDomains)
}

func (g *sourceGroup) permissions() []*rbacv3.Permission {
	out := make([]*rbacv3.Permission, 0, len(g.routes))
	for _, r := range g.routes {
		out = append(out, permission(requestMatch(r.Match)))
	}
	return out
}

// permission matches the same requests as the match of a route.
func permission(match *routev3.RouteMatch) *rbacv3.Permission {
	var all []*rbacv3.Permission
	if regex := match.GetSafeRegex(); regex != nil {
		all = append(all, &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{
			Rule: &matcherv3.PathMatcher_Path{Path: regexValue(regex.GetRegex())},
		}}})
	}
	for _, h := range match.GetHeaders() {
		all = append(all, &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: h}})
	}
	switch len(all) {
	case 0:
		return anyPermission()
	case 1:
		return all[0]
	default:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: all}}}
	}
}
