package entity

import "strings"

// Kind is the kind of an entry.
type Kind string

// Kinds of entries.
const (
	KindNamespace      Kind = "Namespace"
	KindServiceAccount Kind = "ServiceAccount"
	KindPod            Kind = "Pod"
	KindService        Kind = "Service"
	KindEndpointSlice  Kind = "EndpointSlice"
	KindTrafficTarget  Kind = "TrafficTarget"
	KindHTTPRouteGroup Kind = "HTTPRouteGroup"
	KindTCPRoute       Kind = "TCPRoute"
	KindTrafficSplit   Kind = "TrafficSplit"
	// KindUpstreamTrafficSetting is here because Egresses refer to such policies, which another package has.
	KindUpstreamTrafficSetting Kind = "UpstreamTrafficSetting"
	KindEgress                 Kind = "Egress"
	KindExtensionService       Kind = "ExtensionService"
	KindGatewayClass           Kind = "GatewayClass"
	KindGateway                Kind = "Gateway"
	KindHTTPRoute              Kind = "HTTPRoute"
	KindGRPCRoute              Kind = "GRPCRoute"
	KindTLSRoute               Kind = "TLSRoute"
	// KindGatewayTCPRoute is the TCPRoute of the Gateway API. KindTCPRoute is that of SMI.
	KindGatewayTCPRoute Kind = "TCPRoute.gateway.networking.k8s.io"
	KindReferenceGrant  Kind = "ReferenceGrant"
	// KindGatewayCertificate entries are the Secrets that Gateways refer to.
	KindGatewayCertificate Kind = "GatewayCertificate"
	// KindGatewayAuthorities entries are the ConfigMaps with the authorities of clients that Gateways refer to.
	KindGatewayAuthorities Kind = "GatewayAuthorities"
	KindBackendTLSPolicy   Kind = "BackendTLSPolicy"
	// KindBackendAuthorities entries are the ConfigMaps with the authorities of servers that BackendTLSPolicies refer to.
	KindBackendAuthorities Kind = "BackendAuthorities"
	// KindEgressCredential entries are the Secrets that Egresses refer to.
	KindEgressCredential Kind = "EgressCredential"
	// KindNamespaceLabels entries are separate from those of KindNamespace, because an edit of labels rarely affects anything.
	KindNamespaceLabels Kind = "NamespaceLabels"
	KindServiceCIDR     Kind = "ServiceCIDR"
	KindSettings        Kind = "Settings"
	// KindMeshPeer is another mesh, KindServiceExport a Service that peers may call, and KindServiceImport the consent to a Service of a peer.
	KindMeshPeer      Kind = "MeshPeer"
	KindServiceExport Kind = "ServiceExport"
	KindServiceImport Kind = "ServiceImport"
	// KindPeerTrust entries are the roots that a peer has changed to.
	KindPeerTrust Kind = "PeerTrust"
	// KindPeerService entries are Services as their peers describe them.
	KindPeerService Kind = "PeerService"
)

// isWorkload reports whether entries of the kind say which workloads, gateways, Secrets and ConfigMaps exist, or are settings.
func (k Kind) isWorkload() bool {
	switch k {
	case KindNamespace, KindNamespaceLabels, KindServiceCIDR, KindServiceAccount, KindPod, KindService, KindEndpointSlice, KindSettings,
		KindGatewayClass, KindGateway, KindReferenceGrant, KindGatewayCertificate, KindGatewayAuthorities, KindEgressCredential, KindBackendAuthorities:
		return true
	}
	return false
}

// IsPolicy reports whether entries of the kind are policies: leaving one out changes how traffic is handled, but not
// which workloads exist.
func (k Kind) IsPolicy() bool { return !k.isWorkload() }

// RouteKinds are the kinds of routes of the Gateway API.
func RouteKinds() []Kind {
	return []Kind{KindGRPCRoute, KindHTTPRoute, KindTLSRoute, KindGatewayTCPRoute}
}

// RoutesConnections reports whether routes of the kind select connections. Those of other kinds select HTTP requests.
func (k Kind) RoutesConnections() bool { return k == KindTLSRoute || k == KindGatewayTCPRoute }

// APIName is the kind in the Kubernetes API. Only KindGatewayTCPRoute has another name here.
func (k Kind) APIName() string {
	name, _, _ := strings.Cut(string(k), ".")
	return name
}
