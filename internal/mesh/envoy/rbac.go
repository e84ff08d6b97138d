package envoy

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	netlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// permissivePolicy is the name of the network policy of a permissive mesh.
const permissivePolicy = "permissive"

// networkFilters limit and authorize the connections of each inbound chain. They are resources of their own, not part
// of the listener: a change applies to new connections and leaves open ones alone.
//
// Envoy evaluates network RBAC when the client's first bytes arrive. On its own it would let a client read from a server that sends the
// first bytes; therefore the handshake on TCP ports checks names too.
func networkFilters(s *scope.Scope, inbound []inboundPort) []Resource {
	configs := make([]*corev3.TypedExtensionConfig, 0, 2*len(inbound))
	for _, in := range inbound {
		configs = append(configs, message.Extension(inboundRBACName(in), &netrbacv3.RBAC{
			StatPrefix: "network-",
			Rules:      allowRules(networkPolicies(in.Rules, s.AcceptedClientDomains())),
		}), connectionLimit(in))
	}
	return newResources(ExtensionType, (*corev3.TypedExtensionConfig).GetName, configs)
}

func networkPolicies(rules authz.Rules, trustDomains []string) map[string]*rbacv3.Policy {
	policies := map[string]*rbacv3.Policy{}
	if rules.Permissive {
		policies[permissivePolicy] = newPolicy(anyPrincipal())
		return policies
	}
	for _, rule := range rules.Network {
		if len(rule.Sources) > 0 {
			policies[rule.Policy] = newPolicy(principals(rule.Sources, trustDomains)...)
		}
	}
	return policies
}

// allowRules allows what a policy matches. Without policies it denies everything.
func allowRules(policies map[string]*rbacv3.Policy) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: policies}
}

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
func principals(sources []identity.ServiceAccount, trustDomains []string) []*rbacv3.Principal {
	out := make([]*rbacv3.Principal, 0, len(sources)*len(trustDomains))
	for _, sa := range sources {
		for _, name := range sa.Principals(trustDomains) {
			out = append(out, authenticated(&rbacv3.Principal_Authenticated{PrincipalName: message.Exact(name)}))
		}
	}
	return out
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

// ChainOfNetworkRBAC returns the filter chain of the inbound listener whose connections an extension resource authorizes. It returns
// false for other extension resources.
func ChainOfNetworkRBAC(extension string) (string, bool) {
	return strings.CutPrefix(extension, networkRBACFilter+"|")
}

// EveryPrincipal is what NetworkPrincipals returns for a permissive mesh.
const EveryPrincipal = ""

// NetworkPrincipals returns the principals that the network RBAC of a filter chain allows, sorted. It returns false for other
// resources.
func NetworkPrincipals(r Resource) ([]string, bool) {
	if _, ok := ChainOfNetworkRBAC(r.Name); !ok {
		return nil, false
	}
	extension, _ := r.Message.(*corev3.TypedExtensionConfig)
	rbac := &netrbacv3.RBAC{}
	if extension.GetTypedConfig().UnmarshalTo(rbac) != nil {
		return nil, false
	}
	var names []string
	for _, policy := range rbac.GetRules().GetPolicies() {
		for _, principal := range policy.GetPrincipals() {
			names = append(names, principal.GetAuthenticated().GetPrincipalName().GetExact())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}
