package kinds

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// Kinds of Open Service Mesh in their stored versions. They are read as unstructured objects, because one object of an unexpected shape
// would fail the decoding of a whole typed list.
var (
	TrafficTarget  = schema.GroupVersionKind{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"}
	HTTPRouteGroup = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"}
	TCPRoute       = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "TCPRoute"}
	UDPRoute       = schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "UDPRoute"}
	TrafficSplit   = schema.GroupVersionKind{Group: "split.smi-spec.io", Version: "v1alpha4", Kind: "TrafficSplit"}

	Retry                  = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "Retry"}
	UpstreamTrafficSetting = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "UpstreamTrafficSetting"}
	Backpressure           = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "Backpressure"}
	IngressBackend         = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "IngressBackend"}
	ExternalAuthorization  = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "ExternalAuthorization"}
	Telemetry              = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "Telemetry"}
	ExtensionService       = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "ExtensionService"}
	Egress                 = schema.GroupVersionKind{Group: catalog.PolicyGroup, Version: "v1alpha1", Kind: "Egress"}

	MeshConfigs         = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"}
	MeshRootCertificate = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshRootCertificate"}
	MultiClusterService = schema.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha1", Kind: "MultiClusterService"}
)

// All returns the table of kinds: the policies in the order of all outputs, and then the settings.
func All() []Kind {
	return []Kind{
		policy(TrafficTarget, ingest.TrafficTarget, Facts{Short: "tt"}),
		policy(HTTPRouteGroup, ingest.HTTPRouteGroup, Facts{Short: "htr"}),
		policy(TCPRoute, ingest.TCPRoute, Facts{Short: "tr"}),
		policy(TrafficSplit, ingest.TrafficSplit, Facts{Short: "ts", Exclusive: true}),
		policy(Retry, retry.Read, Facts{
			Exclusive: true, Clients: []string{"spec", "source"}, Anywhere: true,
			Feature: &Feature{Field: "enableRetryPolicy", Enabled: func(f configv1alpha2.FeatureFlags) bool { return f.EnableRetryPolicy }},
		}),
		policy(UpstreamTrafficSetting, upstream.Read, Facts{Short: "uts", Exclusive: true, QuietStatus: true}),
		policy(Backpressure, upstream.ReadBackpressure, Facts{Exclusive: true, YieldsTo: upstream.Kind}),
		policy(IngressBackend, ingressbackend.Read, Facts{
			Exclusive: true,
			Feature:   &Feature{Field: "enableIngressBackendPolicy", Enabled: func(f configv1alpha2.FeatureFlags) bool { return f.EnableIngressBackendPolicy }},
		}),
		policy(Egress, ingest.Egress, Facts{
			Exclusive: true, Clients: []string{"spec", "sources"},
			Feature: &Feature{Field: "enableEgressPolicy", Enabled: func(f configv1alpha2.FeatureFlags) bool { return f.EnableEgressPolicy }},
		}),
		policy(Telemetry, telemetry.Read, Facts{Exclusive: true, MeshWide: true}),
		policy(ExternalAuthorization, extauthz.Read, Facts{Short: "extauthz", Exclusive: true, MeshWide: true}),
		policy(ExtensionService, ingest.ExtensionService, Facts{Short: "extsvc", MeshWide: true}),
		{GroupVersionKind: UDPRoute, check: ingest.UDPRoute, Facts: Facts{Short: "ur"}},
		{GroupVersionKind: MeshConfigs, Facts: Facts{QuietStatus: true}},
		{GroupVersionKind: MeshRootCertificate, Facts: Facts{Short: "mrc"}},
		{GroupVersionKind: MultiClusterService},
	}
}

// Definitions returns the names of the CRDs in the order in which "osm uninstall" deletes them.
func Definitions() []string {
	all := []schema.GroupVersionKind{
		Egress, ExtensionService, ExternalAuthorization, Telemetry, IngressBackend, MeshConfigs, MeshRootCertificate, UpstreamTrafficSetting,
		Retry, Backpressure, MultiClusterService, HTTPRouteGroup, TCPRoute, UDPRoute, TrafficSplit, TrafficTarget,
	}
	names := make([]string, 0, len(all))
	for _, kind := range all {
		names = append(names, Kind{GroupVersionKind: kind}.Definition())
	}
	return names
}
