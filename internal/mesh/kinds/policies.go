package kinds

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Policy kinds in their stored versions. They are read as unstructured objects, because one object of an unexpected shape
// would fail the decoding of a whole typed list.
var (
	TrafficTarget  = schema.GroupVersionKind{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"}
	HTTPRouteGroup = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"}
	TCPRoute       = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "TCPRoute"}
	UDPRoute       = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "UDPRoute"}
	TrafficSplit   = schema.GroupVersionKind{Group: "split.smi-spec.io", Version: "v1alpha4", Kind: "TrafficSplit"}

	Retry                  = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Retry"}
	UpstreamTrafficSetting = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "UpstreamTrafficSetting"}
	Backpressure           = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Backpressure"}
	IngressBackend         = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"}
	ExternalAuthorization  = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "ExternalAuthorization"}
	Telemetry              = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Telemetry"}
	ExtensionService       = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "ExtensionService"}
	Egress                 = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "Egress"}
)

// Kinds of the Gateway API, in versions that all its releases since 1.0 serve.
var (
	GatewayClass   = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayClass"}
	Gateway        = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	HTTPRoute      = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	ReferenceGrant = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1beta1", Kind: "ReferenceGrant"}
)

// GatewayAPI returns the kinds that configure the ingress gateway of a mesh.
func GatewayAPI(mesh string) []Source {
	return []Source{
		SourceOf(catalog.KindGatewayClass, Object(GatewayClass), ingest.GatewayClass(mesh)),
		SourceOf(catalog.KindGateway, Object(Gateway), ingest.Gateway),
		SourceOf(catalog.KindHTTPRoute, Object(HTTPRoute), ingest.HTTPRoute),
		SourceOf(catalog.KindReferenceGrant, Object(ReferenceGrant), ingest.ReferenceGrant),
	}
}

// Policies returns the policy kinds that affect traffic.
func Policies() []Source {
	return []Source{
		SourceOf(catalog.KindTrafficTarget, Object(TrafficTarget), ingest.TrafficTarget),
		SourceOf(catalog.KindHTTPRouteGroup, Object(HTTPRouteGroup), ingest.HTTPRouteGroup),
		SourceOf(catalog.KindTCPRoute, Object(TCPRoute), ingest.TCPRoute),
		SourceOf(catalog.KindTrafficSplit, Object(TrafficSplit), ingest.TrafficSplit),
		SourceOf(catalog.KindRetry, Object(Retry), ingest.Retry),
		SourceOf(catalog.KindUpstreamTrafficSetting, Object(UpstreamTrafficSetting), ingest.UpstreamTrafficSetting),
		SourceOf(catalog.KindBackpressure, Object(Backpressure), ingest.Backpressure),
		SourceOf(catalog.KindIngressBackend, Object(IngressBackend), ingest.IngressBackend),
		SourceOf(catalog.KindEgress, Object(Egress), ingest.Egress),
		SourceOf(catalog.KindTelemetry, Object(Telemetry), ingest.Telemetry),
		SourceOf(catalog.KindExternalAuthorization, Object(ExternalAuthorization), ingest.ExternalAuthorization),
		SourceOf(catalog.KindExtensionService, Object(ExtensionService), ingest.ExtensionService),
	}
}

// Object returns an empty object of a kind.
func Object(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}
