package envoy

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Resource is one xDS resource. Message is immutable once built: proxies share it.
type Resource struct {
	TypeURL string
	Name    string
	Message proto.Message
}

// Build makes every resource of a scope except endpoints and secrets: clusters, listeners, route configurations and
// network filters, sorted by name within a type.
//
// Within a type names are unique, and no two listeners or filter chains match the same connections. Envoy would reject
// all of them otherwise.
func Build(s *scope.Scope) []Resource {
	inbound, reachable := mergeInbound(s.Inbound), destinations(s)
	var out []Resource
	out = append(out, clusterResources(append(destinationClusters(s), ownClusters(s, inbound)...))...)
	out = append(out, listenerResources(append(boundListeners(s, inbound), destinationListeners(s, reachable)...))...)
	out = append(out, routeResources(slices.Concat(inboundRouteConfigs(s, inbound), ingressRouteConfigs(s), egressRouteConfigs(s), gatewayRouteConfigs(s), egressGatewayRouteConfigs(s), outboundRouteConfigs(s, reachable)))...)
	out = append(out, networkFilters(s, inbound)...)
	out = append(out, ingressFilters(s)...)
	return out
}

// BuildShared makes the resources of a scope that are equal for all clients with the same destinations and address families: their
// clusters, listeners and routes. BuildShared overwritten by BuildOwn equals Build.
func BuildShared(s *scope.Scope) []Resource {
	anyClient := *s
	anyClient.ClientPolicies = scope.ClientPolicies{}
	reachable := destinations(s)
	out := append(clusterResources(destinationClusters(s)), listenerResources(destinationListeners(s, reachable))...)
	return append(out, routeResources(outboundRouteConfigs(&anyClient, reachable))...)
}

// BuildOwn makes the resources of a scope that BuildShared leaves out, and those that this client has in a different
// form.
func BuildOwn(s *scope.Scope) []Resource {
	inbound := mergeInbound(s.Inbound)
	out := append(clusterResources(ownClusters(s, inbound)), listenerResources(boundListeners(s, inbound))...)
	out = append(out, routeResources(slices.Concat(inboundRouteConfigs(s, inbound), ingressRouteConfigs(s), egressRouteConfigs(s), clientRouteConfigs(s)))...)
	out = append(out, networkFilters(s, inbound)...)
	return append(out, ingressFilters(s)...)
}

// newResources names messages of one type and sorts them. Of several messages with one name it keeps the first.
func newResources[M proto.Message](typeURL string, name func(M) string, messages []M) []Resource {
	out := make([]Resource, 0, len(messages))
	for _, m := range messages {
		out = append(out, Resource{TypeURL: typeURL, Name: name(m), Message: m})
	}
	slices.SortStableFunc(out, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Resource) bool { return a.Name == b.Name })
}

// ads refers to the stream that delivered the referring resource. Like all package variables it is shared and must not
// be changed.
var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}
