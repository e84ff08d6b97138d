package envoy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	p := newParts(translationOf(s))
	return p.buildAll()
}

// BuildType makes the resources of one type that Build makes. There are none for endpoints and secrets.
func BuildType(s *scope.Scope, typeURL string) []Resource {
	p := newParts(translationOf(s))
	return p.build(typeURL)
}

// BuildSeparable makes the resources that Build makes, without those that depend on several destinations. Those of each destination do not depend on the
// others. It is not for sidecars of Open Service Mesh, whose outbound listener depends on all.
func BuildSeparable(s *scope.Scope) []Resource {
	p := newParts(translationOf(s))
	p.ports = nil
	return p.buildAll()
}

// BuildDestinations makes those of the resources of BuildSeparable that destinations add to a sidecar. They do not depend on the identity of the client, nor on
// what its application accepts.
func BuildDestinations(s *scope.Scope) []Resource {
	p := newParts(translationOf(s))
	p.ports = nil
	return p.buildShared()
}

// BuildPorts makes the resources that BuildSeparable leaves out, if they belong to one of the port numbers.
func BuildPorts(s *scope.Scope, numbers map[uint16]bool) []Resource {
	t := translationOf(s)
	ports := sharedPortsOf(t, numbers)
	return append(listenerResources(portListeners(t, ports)), t.routeResources(portRouteConfigs(t, ports))...)
}

// parts are the parts of a scope from which resources are made.
type parts struct {
	*translation
	inbound []inboundPort
	// reachable are the destinations with listeners of their own, and ports those that share some.
	reachable []destination
	ports     []sharedPort
	// extensions are the configurations of network filters for a sidecar that does not discover them; nil until the first is needed.
	extensions map[string]*anypb.Any
}

func newParts(s *translation) parts {
	reachable := destinations(s)
	return parts{translation: s, inbound: mergeInbound(s.Inbound), reachable: ownListeners(s, reachable), ports: sharedPorts(s, reachable)}
}

func (p *parts) buildAll() []Resource {
	return lists.FlatMap([]string{ClusterType, ListenerType, RouteType, ExtensionType}, p.build)
}

func (p *parts) build(typeURL string) []Resource { return p.forProxy(p.buildFully(typeURL)) }

func (p *parts) buildFully(typeURL string) []Resource {
	s, inbound := p.translation, p.inbound
	switch typeURL {
	case ClusterType:
		return clusterResources(limitBuffers(s, append(destinationClusters(s), ownClusters(s, inbound)...)))
	case ListenerType:
		return listenerResources(slices.Concat(boundListeners(s, inbound), destinationListeners(s, p.reachable), portListeners(s, p.ports)))
	case RouteType:
		return s.routeResources(slices.Concat(
			inboundRouteConfigs(s, inbound), ingressRouteConfigs(s), egressRouteConfigs(s), gatewayRouteConfigs(s), egressGatewayRouteConfigs(s),
			outboundRouteConfigs(s, p.reachable), portRouteConfigs(s, p.ports),
		))
	case ExtensionType:
		return discoveredFilters(s, inbound)
	}
	return nil
}

// discoveredFilters are the network filters that sidecars discover.
func discoveredFilters(s *translation, inbound []inboundPort) []Resource {
	if s.Key.Class.OSM {
		return nil
	}
	return append(networkFilters(s, inbound), ingressFilters(s)...)
}

// BuildShared makes the resources of a scope that are equal for all clients with the same destinations and address families: their
// clusters, listeners and routes. BuildShared overwritten by BuildOwn equals Build. Scopes for which Key.MayShareDestinations is false have Build alone.
func BuildShared(s *scope.Scope) []Resource {
	p := newParts(translationOf(ofAnyClient(s)))
	return p.buildShared()
}

// BuildSharedSeparable makes the resources that BuildShared makes, without those that depend on several destinations.
func BuildSharedSeparable(s *scope.Scope) []Resource { return BuildDestinations(ofAnyClient(s)) }

// BuildSharedPorts makes the resources that BuildSharedSeparable leaves out, if they belong to one of the port numbers.
func BuildSharedPorts(s *scope.Scope, numbers map[uint16]bool) []Resource {
	t := translationOf(ofAnyClient(s))
	return t.routeResources(portRouteConfigs(t, sharedPortsOf(t, numbers)))
}

func ofAnyClient(s *scope.Scope) *scope.Scope {
	anyClient := *s
	anyClient.ClientPolicies = scope.ClientPolicies{}
	return &anyClient
}

func (p *parts) buildShared() []Resource {
	out := append(clusterResources(destinationClusters(p.translation)), listenerResources(destinationListeners(p.translation, p.reachable))...)
	return append(out, p.routeResources(append(outboundRouteConfigs(p.translation, p.reachable), portRouteConfigs(p.translation, p.ports)...))...)
}

// BuildOwn makes the resources of a scope that BuildShared leaves out, and those that this client has in a different
// form.
func BuildOwn(s *scope.Scope) []Resource {
	p := newOwnParts(translationOf(s))
	return lists.FlatMap([]string{ClusterType, ListenerType, RouteType, ExtensionType}, p.buildOwn)
}

// BuildOwnType makes the resources of one type that BuildOwn makes. There are none for endpoints and secrets.
func BuildOwnType(s *scope.Scope, typeURL string) []Resource {
	p := newOwnParts(translationOf(s))
	return p.buildOwn(typeURL)
}

func newOwnParts(s *translation) parts {
	if s.IsOnDemand() || !s.HasNoClientPolicies() { // otherwise nothing depends on the destinations, of which there may be thousands
		return newParts(s)
	}
	return parts{translation: s, inbound: mergeInbound(s.Inbound)}
}

func (p *parts) buildOwn(typeURL string) []Resource {
	s, inbound := p.translation, p.inbound
	switch typeURL {
	case ClusterType:
		return clusterResources(ownClusters(s, inbound))
	case ListenerType:
		return listenerResources(append(boundListeners(s, inbound), portListeners(s, p.ports)...))
	case RouteType:
		return s.routeResources(slices.Concat(
			inboundRouteConfigs(s, inbound), ingressRouteConfigs(s), egressRouteConfigs(s), clientRouteConfigs(s, p.reachable),
			clientPortRouteConfigs(s, p.ports),
		))
	case ExtensionType:
		return discoveredFilters(s, inbound)
	}
	return nil
}

// newResources names messages of one type and sorts them. Of several messages with one name it keeps the first.
func newResources[M proto.Message](typeURL string, name func(M) string, messages []M) []Resource {
	out := lists.Map(messages, func(m M) Resource { return Resource{TypeURL: typeURL, Name: name(m), Message: m} })
	slices.SortStableFunc(out, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Resource) bool { return a.Name == b.Name })
}

// ads refers to the stream that delivered the referring resource. Like all package variables it is shared and must not
// be changed.
var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}

// PassthroughCluster has the destinations outside the mesh without a policy. It exists while they are allowed. The name is that of OSM.
const PassthroughCluster = "passthrough-outbound"

// Names that OSM users and tools rely on.
const (
	inboundListener    = "inbound-listener"
	outboundListener   = "outbound-listener"
	prometheusListener = "inbound-prometheus-listener"

	passthroughChain = "outbound-egress-filter-chain"
	metricsCluster   = "envoy-metrics-cluster"

	originalDstFilter   = "original_dst"
	tlsInspectorFilter  = "tls_inspector"
	httpInspectorFilter = "http_inspector"
	networkRBACFilter   = "l4_rbac"
	hcmFilter           = "http_connection_manager"
	tcpProxyFilter      = "tcp_proxy"
	httpRBACFilter      = "envoy.filters.http.rbac"
	routerFilter        = "http_router"
	healthFilter        = "http_health_check"
	httpLimitFilter     = "envoy.filters.http.local_ratelimit"

	connectionLimitFilter = "l4_local_rate_limit"

	// meshALPN is the protocol that sidecars offer to each other. The mesh's filter chains match nothing else.
	meshALPN = "osm"
)

// Names that are new in this implementation.
const (
	// closedChain matches no connection. A listener needs a chain, and Envoy closes and logs connections that match none.
	closedChain = "outbound-closed"

	// plaintextChainPrefix is the prefix of the chains that accept any client during teardown of the mesh.
	plaintextChainPrefix = "inbound_open_"

	// healthALPN is the protocol that sidecars offer when they check the health of a TCP port.
	healthALPN = "osm-health"
)

func inboundChainName(in inboundPort) string {
	return fmt.Sprintf("inbound_%s_%d_%s", in.Service, in.TargetPort, in.Protocol)
}

func inboundRouteName(in inboundPort) string {
	return fmt.Sprintf("rds-inbound.%d|%s", in.TargetPort, in.Service)
}

func inboundRBACName(in inboundPort) string { return chainRBACName(inboundChainName(in)) }

// chainRBACName is the name of the permissions of a filter chain.
func chainRBACName(chain string) string { return networkRBACFilter + "|" + chain }

func connectionLimitName(in inboundPort) string {
	return connectionLimitFilter + "|" + inboundChainName(in)
}

func healthChainName(in inboundPort) string {
	return fmt.Sprintf("inbound_health_%s_%d", in.Service, in.TargetPort)
}

func localClusterName(service entity.Name, targetPort uint16) string {
	return scope.ClusterName(service, targetPort) + "|local"
}

// podsClusterName is the cluster through which a client of a headless Service reaches the pod that it addressed.
func podsClusterName(service entity.Name, podPort uint16) string {
	return scope.ClusterName(service, podPort) + "|pods"
}

func outboundChainName(o scope.Outbound) string {
	return fmt.Sprintf("outbound_%s_%d_%s", o.Service, o.Port, o.Protocol)
}

// outboundListenerName leaves out the protocol. A port whose protocol changes keeps its address, and Envoy would
// reject a second listener on it.
func outboundListenerName(o scope.Outbound) string {
	return fmt.Sprintf("outbound_%s_%d", o.Service, o.Port)
}

// headlessListenerName leaves out the Service. When another Service takes over an address, Envoy receives an update. Under a second name
// it would reject the new listener until the old one is removed.
func headlessListenerName(pod netip.AddrPort) string { return "outbound_pod|" + pod.String() }

func outboundRouteName(o scope.Outbound) string {
	return fmt.Sprintf("rds-outbound.%d|%s", o.Port, o.Service)
}

// ServiceCertName is the name of the secret with the sidecar's own certificate and key. It is the same in all sidecars, so that
// all clients of a Service have the same cluster.
const ServiceCertName = "service-cert"

// OutboundTrustName is the name of the secret with the roots with which a client verifies servers. The names that a server may have
// are in the cluster.
const OutboundTrustName = "root-cert-for-mtls-outbound"

// InboundTrustName is the name of the secret with which a workload verifies its clients.
func InboundTrustName(sa identity.ServiceAccount) string {
	return "root-cert-for-mtls-inbound:" + sa.String()
}

// inboundTrustName is InboundTrustName except on TCP ports with rules. There the handshake itself admits only some
// principals, so each port has its own secret.
func inboundTrustName(sa identity.ServiceAccount, in inboundPort) string {
	if in.Protocol.IsHTTP() || in.Rules.Permissive {
		return InboundTrustName(sa)
	}
	return InboundTrustName(sa) + "|" + scope.ClusterName(in.Service, in.TargetPort)
}

// Type URLs of the resources that the control plane serves.
const (
	ClusterType   = resource.ClusterType
	EndpointType  = resource.EndpointType
	ListenerType  = resource.ListenerType
	RouteType     = resource.RouteType
	SecretType    = resource.SecretType
	ExtensionType = resource.ExtensionConfigType
)

// metadataNamespace is the key of the mesh's metadata in Envoy resources. Labels of statistics come from these fields.
const metadataNamespace = "osm"

// Fields of the metadata of clusters and endpoints.
const (
	namespaceField = "namespace"
	serviceField   = "service"
	kindField      = "kind"
	nameField      = "name"
)

// serviceMetadata describes the Service of a cluster.
func serviceMetadata(service entity.Name) *corev3.Metadata {
	return metadata(map[string]string{namespaceField: service.Namespace, serviceField: service.Name})
}

// workloadMetadata describes the workload of an endpoint; nil if it is unknown.
func workloadMetadata(w inventory.Workload) *corev3.Metadata {
	if w == (inventory.Workload{}) {
		return nil
	}
	return metadata(map[string]string{kindField: w.Kind, nameField: w.Name})
}

func metadata(fields map[string]string) *corev3.Metadata {
	values := make(map[string]*structpb.Value, len(fields))
	for key, value := range fields {
		values[key] = structpb.NewStringValue(value)
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{metadataNamespace: {Fields: values}}}
}
