package envoy

import (
	"fmt"
	"slices"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// routePolicy is OSM's name of the policy that lets requests in.
const routePolicy = "rbac-for-route"

// requestRBAC says who may send which of the requests that have a route. It is one set of rules for all routes, not one for
// each: where two matches overlap, a request is granted to the sources of both, so that a new policy never takes away
// what another one gave.
func requestRBAC(routes []authz.Route, trustDomain string) *anypb.Any {
	groups := bySources(routes)
	policies := map[string]*rbacv3.Policy{}
	for i, g := range groups {
		who := g.principals(trustDomain)
		if len(who) == 0 {
			continue
		}
		p := policy(who...)
		if len(groups) > 1 {
			p.Permissions = g.permissions()
		}
		name := routePolicy
		if i > 0 {
			name = fmt.Sprintf("%s-%d", routePolicy, i+1)
		}
		policies[name] = p
	}
	return packed(&httprbacv3.RBACPerRoute{Rbac: &httprbacv3.RBAC{Rules: allow(policies)}})
}

// grantees are routes with the same sources.
type grantees struct {
	anySource bool
	sources   []identity.ServiceAccount
	routes    []authz.Route
}

// bySources groups routes by their sources, in order of first appearance.
func bySources(routes []authz.Route) []*grantees {
	var groups []*grantees
	for _, r := range routes {
		i := slices.IndexFunc(groups, func(g *grantees) bool {
			return g.anySource == r.AnySource && slices.Equal(g.sources, r.Sources)
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, &grantees{anySource: r.AnySource, sources: r.Sources})
		}
		groups[i].routes = append(groups[i].routes, r)
	}
	return groups
}

func (g *grantees) principals(trustDomain string) []*rbacv3.Principal {
	if g.anySource {
		return []*rbacv3.Principal{anyPrincipal()}
	}
	return principals(g.sources, trustDomain)
}

func (g *grantees) permissions() []*rbacv3.Permission {
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
			Rule: &matcherv3.PathMatcher_Path{Path: matching(regex.GetRegex())},
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
