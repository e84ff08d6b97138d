package envoy

import (
	"fmt"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	netlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// permissivePolicy is the name of the network policy of a permissive mesh.
const permissivePolicy = "permissive"

// networkFilters limit and authorize the connections of each inbound chain. They are resources of their own, not part
// of the listener: a change applies to new connections and leaves open ones alone.
//
// Envoy evaluates network RBAC when the client's first bytes arrive. On its own it would let a client read from a server that sends the
// first bytes; therefore the handshake on TCP ports checks names too.
func networkFilters(s *translation, inbound []inboundPort) []Resource {
	configs := make([]*corev3.TypedExtensionConfig, 0, 2*len(inbound))
	for _, in := range inbound {
		configs = append(configs, networkRBAC(inboundRBACName(in), networkPolicies(in.Rules, ownAccounts(s))), connectionLimit(in))
	}
	configs = append(configs, peerNetworkFilters(s, inbound)...)
	return newResources(ExtensionType, (*corev3.TypedExtensionConfig).GetName, configs)
}

func networkRBAC(name string, policies map[string]*rbacv3.Policy) *corev3.TypedExtensionConfig {
	return message.Extension(name, &netrbacv3.RBAC{StatPrefix: "network-", Rules: allowRules(policies)})
}

func networkPolicies[A authz.Account[A]](rules authz.RulesOf[A], by recognition) map[string]*rbacv3.Policy {
	policies := map[string]*rbacv3.Policy{}
	if rules.Permissive {
		if by.permissive {
			policies[permissivePolicy] = newPolicy(anyPrincipal())
		}
		return policies
	}
	for _, rule := range rules.Network {
		if len(rule.Sources) > 0 {
			policies[rule.Policy] = newPolicy(principals(rule.Sources, by)...)
		}
	}
	return policies
}

// recognition is how rules recognize accounts by the names in their certificates.
type recognition struct {
	// trustDomains are those in whose names an account is recognized.
	trustDomains []string
	// forbidden matches certificates of which no account is recognized, whatever other names they have; nil for none.
	forbidden *rbacv3.Principal
	// permissive is true if rules may allow every account.
	permissive bool
}

// ownAccounts recognizes the accounts of this mesh.
func ownAccounts(s *translation) recognition {
	return recognition{trustDomains: s.AcceptedClientDomains(), permissive: true}
}

// allowRules allows what a policy matches. Without policies it denies everything.
func allowRules(policies map[string]*rbacv3.Policy) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: policies}
}

// denyConnections is a network filter that closes all connections.
var denyConnections = message.Any(&netrbacv3.RBAC{StatPrefix: "network-", Rules: allowRules(nil)})

func newPolicy(who ...*rbacv3.Principal) *rbacv3.Policy {
	return &rbacv3.Policy{
		Permissions: []*rbacv3.Permission{anyPermission()},
		Principals:  who,
	}
}

func anyPermission() *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
}

// principals match names exactly, never as expressions: the name of a service account may contain dots.
func principals[A authz.Account[A]](sources []A, by recognition) []*rbacv3.Principal {
	names := lists.FlatMap(sources, func(account A) []string { return account.Principals(by.trustDomains) })
	who := lists.Map(names, authenticatedAs)
	if by.forbidden == nil || len(who) == 0 {
		return who
	}
	return []*rbacv3.Principal{allOf(anyOf(who), not(by.forbidden))}
}

func allOf(list ...*rbacv3.Principal) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: list}}}
}

func not(p *rbacv3.Principal) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: p}}
}

// authenticatedAs matches clients whose certificate has a name among its DNS names and URIs.
func authenticatedAs(name string) *rbacv3.Principal {
	return authenticated(&rbacv3.Principal_Authenticated{PrincipalName: message.Exact(name)})
}

// anyPrincipal matches every client with a certificate of the mesh.
func anyPrincipal() *rbacv3.Principal { return authenticated(&rbacv3.Principal_Authenticated{}) }

func authenticated(a *rbacv3.Principal_Authenticated) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: a}}
}

// Type URLs of the configurations in networkFilters.
var (
	networkRBACType     = message.Any(&netrbacv3.RBAC{}).GetTypeUrl()
	connectionLimitType = message.Any(&netlimitv3.LocalRateLimit{}).GetTypeUrl()
)

// withoutRoute allows the requests that no route matches, which get 404: every virtual host has rules of its own. Without any rules, such a request
// would have no verdict.
var withoutRoute = allowRules(map[string]*rbacv3.Policy{"without-route": newPolicy(&rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}})})

// engineResult is the key of the dynamic metadata with the verdict of RBAC: allowed or denied.
const engineResult = "enforced_engine_result"

// routePolicy is OSM's name of the policy that allows requests.
const routePolicy = "rbac-for-route"

// requestRBAC allows requests by source. All routes share one set of rules: where matches overlap, a request is
// granted to the sources of both, so a new policy never revokes what another one granted. Rules match the decoded path if it is decoded.
func requestRBAC[A authz.Account[A]](routes []authz.RouteOf[A], by recognition, decoded bool) *anypb.Any {
	groups := groupBySources(routes)
	policies := map[string]*rbacv3.Policy{}
	for i, g := range groups {
		who := g.principals(by)
		if len(who) == 0 {
			continue
		}
		p := newPolicy(who...)
		if len(groups) > 1 {
			p.Permissions = g.permissions(decoded)
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
type sourceGroup[A authz.Account[A]] struct {
	anySource bool
	sources   []A
	routes    []authz.RouteOf[A]
}

// groupBySources groups routes by their sources, in order of first appearance.
func groupBySources[A authz.Account[A]](routes []authz.RouteOf[A]) []*sourceGroup[A] {
	var groups []*sourceGroup[A]
	for _, r := range routes {
		i := slices.IndexFunc(groups, func(g *sourceGroup[A]) bool {
			return g.anySource == r.AnySource && slices.Equal(g.sources, r.Sources)
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, &sourceGroup[A]{anySource: r.AnySource, sources: r.Sources})
		}
		groups[i].routes = append(groups[i].routes, r)
	}
	return groups
}

func (g *sourceGroup[A]) principals(by recognition) []*rbacv3.Principal {
	if g.anySource && by.permissive {
		return []*rbacv3.Principal{anyPrincipal()}
	}
	return principals(g.sources, by)
}

func (g *sourceGroup[A]) permissions(decoded bool) []*rbacv3.Permission {
	return lists.Map(g.routes, func(r authz.RouteOf[A]) *rbacv3.Permission { return permission(decodedMatch(r.Match, decoded)) })
}

// permission matches the same requests as the match of a route.
func permission(match *routev3.RouteMatch) *rbacv3.Permission {
	var all []*rbacv3.Permission
	if path := pathValue(match); path != nil {
		all = append(all, &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{Rule: &matcherv3.PathMatcher_Path{Path: path}}}})
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

// Values of the key denied_by of the access log. Policies of the mesh only allow, so a denial by RBAC means that none allows.
const (
	noPolicy           = "no policy"
	externalAuthorizer = "external authorization"
	limitField         = "limit"
	globalLimitReached = "request_rate_limited"
	localLimitReached  = "local_rate_limited"
	routeNotFound      = "route_not_found"
)

// AuthorizationDetails is the prefix of the details of responses that an authorization server causes.
const AuthorizationDetails = "ext_authz_"

// requestDenial is an expression for the name of what denied a request; empty if it was not denied. The first condition decides about nearly all requests,
// because each attribute costs time. Statuses and flags do not show that a call of gRPC was denied.
const requestDenial = "!has(response.code_details) || response.code_details == 'via_upstream' ? '' : " +
	requestDenied + " || response.code_details == '" + routeNotFound + "' ? '" + noPolicy + "' : " +
	"response.code_details.startsWith('" + AuthorizationDetails + "') ? '" + externalAuthorizer + "' : " +
	"response.code_details == '" + localLimitReached + "' || response.code_details == '" + globalLimitReached + "' ? " +
	"xds.route_metadata.filter_metadata['" + metadataNamespace + "']['" + limitField + "'] : ''"

// connectionDenial is requestDenial for a TCP connection.
const connectionDenial = connectionDenied + " ? '" + noPolicy + "' : ''"

// deniedBeforeRequest selects denied connections to HTTP ports. The logs of TCP ports contain theirs.
const deniedBeforeRequest = connectionDenied +
	" && !xds.filter_chain_name.endsWith('_tcp') && !xds.filter_chain_name.endsWith('_tcp-server-first')"

func deniedBy(expression string) string { return "%CEL(" + expression + ")%" }

// limitMetadata names the setting whose limit a route enforces; nil without limits of requests.
func limitMetadata(limits *scope.Limits) *corev3.Metadata {
	if limits == nil || limits.Requests == nil && len(limits.Routes) == 0 && limits.GlobalRequests == nil {
		return nil
	}
	return metadata(map[string]string{limitField: string(limits.Policy.Kind) + " " + limits.Policy.Name.String()})
}
