package kinds

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
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
