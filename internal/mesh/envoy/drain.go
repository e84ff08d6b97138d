package envoy

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Envoy authorizes a connection to a TCP port when it is opened, so an open connection outlives its permission. To close it, the filter chain gets
// other metadata: Envoy drains the connections of a chain that changes. Requests to an HTTP port are authorized one by one, so its chain is
// never drained.

// InboundListener is the name of the listener whose filter chains have drain marks.
const InboundListener = inboundListener

// markField is the drain mark in the metadata of a filter chain.
const markField = "drain"

// drainMark is metadata that makes a filter chain differ from its predecessor, so that Envoy drains the chain's
// connections.
func drainMark(mark string) *corev3.Metadata {
	if mark == "" {
		return nil
	}
	return metadata(map[string]string{markField: mark})
}

// DrainMarks returns the drain marks of a listener by filter chain; nil if it has none.
func DrainMarks(listener *listenerv3.Listener) map[string]string {
	var marks map[string]string
	for _, chain := range listener.GetFilterChains() {
		mark := chain.GetMetadata().GetFilterMetadata()[metadataNamespace].GetFields()[markField].GetStringValue()
		if mark == "" {
			continue
		}
		if marks == nil {
			marks = map[string]string{}
		}
		marks[chain.GetName()] = mark
	}
	return marks
}

// WithDrainMarks returns a listener whose filter chains have the marks that markOf returns for their names; empty for none.
func WithDrainMarks(listener *listenerv3.Listener, markOf func(chain string) string) *listenerv3.Listener {
	marked := proto.CloneOf(listener)
	for _, chain := range marked.GetFilterChains() {
		chain.Metadata = drainMark(markOf(chain.GetName()))
	}
	return marked
}

// DrainedChain returns the filter chain of the inbound listener whose open connections an extension resource has authorized. It returns false for
// the permissions of HTTP ports, and for other extension resources.
func DrainedChain(extension string) (string, bool) {
	chain, isRBAC := strings.CutPrefix(extension, networkRBACFilter+"|")
	protocol := chain[strings.LastIndex(chain, "_")+1:]
	return chain, isRBAC && !inventory.Protocol(protocol).IsHTTP()
}

// EveryPrincipal is what NetworkPrincipals returns for a permissive mesh.
const EveryPrincipal = ""

// NetworkPrincipals returns the principals that may open connections to a TCP port, sorted. It returns false for resources other than the
// permissions of such a port.
func NetworkPrincipals(r Resource) ([]string, bool) {
	if _, ok := DrainedChain(r.Name); !ok {
		return nil, false
	}
	extension, _ := r.Message.(*corev3.TypedExtensionConfig)
	rbac := &netrbacv3.RBAC{}
	if extension.GetTypedConfig().UnmarshalTo(rbac) != nil {
		return nil, false
	}
	var names []string
	for _, policy := range rbac.GetRules().GetPolicies() {
		names = append(names, lists.FlatMap(policy.GetPrincipals(), allowedNames)...)
	}
	return lists.Unique(names), true
}

// allowedNames are the names that a principal matches, without those that it excludes.
func allowedNames(p *rbacv3.Principal) []string {
	if p.GetAuthenticated() != nil {
		return []string{p.GetAuthenticated().GetPrincipalName().GetExact()}
	}
	return lists.FlatMap(slices.Concat(p.GetAndIds().GetIds(), p.GetOrIds().GetIds()), allowedNames)
}

// LosesPrincipal reports whether a principal could open connections before and cannot any more; every stands for all of them.
func LosesPrincipal[P comparable](before, after []P, every P) bool {
	return !slices.Contains(after, every) && slices.ContainsFunc(before, func(p P) bool { return !slices.Contains(after, p) })
}
