package status

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// policyKind describes a kind whose objects get status conditions.
type policyKind struct {
	kind schema.GroupVersionKind
	// meshWide is true if objects in the namespace of the mesh have an effect too.
	meshWide bool
	// osmSummary adds OSM's two status fields to the conditions.
	osmSummary bool
	// decided is true if servers decide for sidecars because of an object.
	decided bool
	// recheck is the interval at which objects are evaluated without a change; 0 for never.
	recheck time.Duration
}

func policyKinds() []policyKind {
	return []policyKind{
		{kind: kinds.TrafficTarget},
		{kind: kinds.TrafficSplit},
		{kind: kinds.HTTPRouteGroup},
		{kind: kinds.TCPRoute},
		{kind: kinds.UDPRoute},
		{kind: kinds.Retry},
		{kind: kinds.UpstreamTrafficSetting, osmSummary: true, decided: true},
		{kind: kinds.Backpressure},
		{kind: kinds.IngressBackend, osmSummary: true},
		{kind: kinds.Egress, recheck: lookupInterval},
		{kind: kinds.Telemetry, osmSummary: true, meshWide: true},
		{kind: kinds.ExternalAuthorization, meshWide: true, decided: true},
		{kind: kinds.ExtensionService, meshWide: true},
	}
}
