package ingest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// backpressureLabel on a Backpressure names its Service.
const backpressureLabel = "app"

// Backpressure reads a Backpressure of early OSM releases (policy.openservicemesh.io/v1alpha1) as the equivalent
// UpstreamTrafficSetting.
func Backpressure(u *unstructured.Unstructured) (*catalog.UpstreamTrafficSetting, []Problem) {
	var found problems
	spec, ok := decodeSpec[policyv1alpha1.BackpressureSpec](specOf(u), &found)
	if !ok {
		return nil, found
	}
	setting := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindBackpressure, Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Service: catalog.Name{Namespace: u.GetNamespace(), Name: u.GetLabels()[backpressureLabel]},
		Connections: catalog.ConnectionSettings{
			MaxConnections:           found.count("spec.maxConnections", spec.MaxConnections, 0),
			MaxPendingRequests:       found.count("spec.maxPendingRequests", spec.MaxPendingRequests, 0),
			MaxRequests:              found.count("spec.maxRequests", spec.MaxRequests, 0),
			MaxRetries:               found.count("spec.maxRetries", spec.MaxRetries, 0),
			MaxRequestsPerConnection: found.count("spec.maxRequestsPerConnection", spec.MaxRequestsPerConnection, 0),
		},
	}
	if len(validation.IsDNS1123Label(setting.Service.Name)) > 0 {
		found.reject(ReasonInvalidName, "The label %s of this Backpressure is %.80q and names no Service, so it is not used: write an UpstreamTrafficSetting with spec.host <service>.%s.svc.cluster.local.", backpressureLabel, setting.Service.Name, u.GetNamespace())
		return nil, found
	}
	return setting, found
}
