package envoy

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// Resource is one xDS resource. Message must not be changed after it was built: proxies share it.
type Resource struct {
	TypeURL string
	Name    string
	Message proto.Message
}

// Build makes every resource of a scope except endpoints and secrets: clusters, listeners, route configurations and network
// RBAC, in this order and sorted by name within a type. No name occurs twice in a type, and no two listeners or filter
// chains ask for the same connections, whatever the scope says: Envoy would refuse all of them.
func Build(s *scope.Scope) []Resource {
	inbound, reachable := mergeInbound(s.Inbound), destinations(s)
	var out []Resource
	out = append(out, clusters(s, inbound)...)
	out = append(out, listeners(append(doors(s, inbound), outboundPorts(reachable)...))...)
	out = append(out, routes(append(inboundRouteConfigs(s, inbound), outboundRouteConfigs(s, reachable)...))...)
	out = append(out, gates(s, inbound)...)
	return out
}

// Shared are those resources of a scope, secrets included, that are the same for every client with the same destinations and
// the same address families: the listeners and routes of the destinations and the trust in them. Own are the others, and those
// which this client has in a form of its own. Shared, overwritten by Own, is what Build and TrustSecrets make.
func Shared(s *scope.Scope, rootPEM []byte) []Resource {
	anybody := *s
	anybody.Retries = nil
	reachable := destinations(s)
	out := append(listeners(outboundPorts(reachable)), routes(outboundRouteConfigs(&anybody, reachable))...)
	return append(out, secrets(outboundTrust(s, rootPEM))...)
}

// Own are the resources of a scope that Shared leaves out or has in the form of other clients.
func Own(s *scope.Scope, rootPEM []byte) []Resource {
	inbound := mergeInbound(s.Inbound)
	out := append(clusters(s, inbound), listeners(doors(s, inbound))...)
	out = append(out, routes(append(inboundRouteConfigs(s, inbound), retriedRouteConfigs(s)...))...)
	out = append(out, gates(s, inbound)...)
	return append(out, secrets(inboundTrust(s, inbound, rootPEM))...)
}

// newResources names messages of one type and sorts them; of two with one name the first is kept.
func newResources[M proto.Message](typeURL string, name func(M) string, messages []M) []Resource {
	out := make([]Resource, 0, len(messages))
	for _, m := range messages {
		out = append(out, Resource{TypeURL: typeURL, Name: name(m), Message: m})
	}
	slices.SortStableFunc(out, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Resource) bool { return a.Name == b.Name })
}

// packed wraps a message for a field that takes any type. Marshalling fails only on strings that are not UTF-8, and the
// Kubernetes API server stores none, so a failure is a bug of ours.
func packed(m proto.Message) *anypb.Any {
	out := new(anypb.Any)
	if err := anypb.MarshalFrom(out, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic("an Envoy message cannot be marshalled, a string in it is not valid UTF-8: " + err.Error())
	}
	return out
}

// ads is the source of everything that is not inline: the stream that delivered the resource itself. It is shared, like the
// other parts of this package that are the same everywhere: nobody changes a message after it was built.
var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}

// The types of resources that this package builds.
const (
	ClusterType   = resource.ClusterType
	EndpointType  = resource.EndpointType
	ListenerType  = resource.ListenerType
	RouteType     = resource.RouteType
	SecretType    = resource.SecretType
	ExtensionType = resource.ExtensionConfigType
)
