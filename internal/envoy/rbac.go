package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	netlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// permissivePolicy is the name of the network policy of a permissive mesh.
const permissivePolicy = "permissive"

// gates say for each inbound chain who may connect, and how often. They are resources of their own, not part of the listener, so
// that a change of policy leaves open connections alone and judges new ones.
//
// Who may connect is asked when the client's first bytes arrive, and not before: alone it would let a client listen to a server
// that speaks first. That is why the handshake on TCP ports checks names as well.
func gates(s *scope.Scope, inbound []inboundPort) []Resource {
	configs := make([]*corev3.TypedExtensionConfig, 0, 2*len(inbound))
	for _, in := range inbound {
		configs = append(configs, &corev3.TypedExtensionConfig{
			Name: inboundRBACName(in),
			TypedConfig: packed(&netrbacv3.RBAC{
				StatPrefix: "network-",
				Rules:      allow(networkPolicies(in.Rules, s.TrustDomain)),
			}),
		}, connectionLimit(in))
	}
	return newResources(ExtensionType, (*corev3.TypedExtensionConfig).GetName, configs)
}

func networkPolicies(rules authz.Rules, trustDomain string) map[string]*rbacv3.Policy {
	policies := map[string]*rbacv3.Policy{}
	if rules.Permissive {
		policies[permissivePolicy] = policy(anyPrincipal())
		return policies
	}
	for _, rule := range rules.Network {
		if len(rule.Sources) > 0 {
			policies[rule.Policy] = policy(principals(rule.Sources, trustDomain)...)
		}
	}
	return policies
}

// allow lets in what a policy matches and nothing else; without policies it denies everything.
func allow(policies map[string]*rbacv3.Policy) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: policies}
}

func policy(who ...*rbacv3.Principal) *rbacv3.Policy {
	return &rbacv3.Policy{
		Permissions: []*rbacv3.Permission{anyPermission()},
		Principals:  who,
	}
}

func anyPermission() *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
}

// principals match names exactly, never as expressions: a service account's name may contain dots.
func principals(sources []identity.ServiceAccount, trustDomain string) []*rbacv3.Principal {
	out := make([]*rbacv3.Principal, 0, len(sources))
	for _, sa := range sources {
		out = append(out, authenticated(&rbacv3.Principal_Authenticated{PrincipalName: exactly(sa.Principal(trustDomain))}))
	}
	return out
}

// anyPrincipal is every client with a certificate of the mesh.
func anyPrincipal() *rbacv3.Principal { return authenticated(&rbacv3.Principal_Authenticated{}) }

func authenticated(a *rbacv3.Principal_Authenticated) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: a}}
}

// The types of what gates sends.
var (
	networkRBACType     = packed(&netrbacv3.RBAC{}).GetTypeUrl()
	connectionLimitType = packed(&netlimitv3.LocalRateLimit{}).GetTypeUrl()
)
