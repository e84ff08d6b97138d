package ingest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// backpressureLabel on a Backpressure names its Service.
const backpressureLabel = "app"

// Backpressure reads a Backpressure of early OSM releases (policy.openservicemesh.io/v1alpha1) as the equivalent
// UpstreamTrafficSetting.
func Backpressure(u *unstructured.Unstructured) (*catalog.UpstreamTrafficSetting, []Problem) {
	var found problems
	spec := specObject(u, &found)
	setting := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindBackpressure, Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Service: catalog.Name{Namespace: u.GetNamespace(), Name: u.GetLabels()[backpressureLabel]},
		Connections: catalog.ConnectionSettings{
			MaxConnections:           spec.count("maxConnections", 0),
			MaxPendingRequests:       spec.count("maxPendingRequests", 0),
			MaxRequests:              spec.count("maxRequests", 0),
			MaxRetries:               spec.count("maxRetries", 0),
			MaxRequestsPerConnection: spec.count("maxRequestsPerConnection", 0),
		},
	}
	if malformed := found.onlyMalformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(validation.IsDNS1123Label(setting.Service.Name)) > 0 {
		found.reject(ReasonInvalidName, "The label %s of this Backpressure is %.80q and names no Service, so it is not used: write an UpstreamTrafficSetting with spec.host <service>.%s.svc.cluster.local.", backpressureLabel, setting.Service.Name, u.GetNamespace())
		return nil, found
	}
	return setting, found
}
