package status

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// policyKind describes a kind whose objects get status conditions.
type policyKind struct {
	kind     schema.GroupVersionKind
	evaluate Evaluate
	// related are kinds whose changes can affect the conditions of objects of this kind in the same namespace.
	related []schema.GroupVersionKind
	// named are kinds whose changes can affect the objects of this kind that name them in the same namespace.
	named []schema.GroupVersionKind
	// conflicting returns a filter for objects of this kind, in any namespace, that a change can affect; nil for none.
	conflicting func(client.Object) func(*unstructured.Unstructured) bool
	// conflicts finds older objects with precedence over a new one; nil for kinds without conflicts.
	conflicts relatedFinder
	// references finds references of a new object to what does not exist; nil for kinds without references.
	references relatedFinder
	// referring returns a filter for objects of this kind, in any namespace, that refer to a Service; nil for none.
	referring func(client.Object) func(*unstructured.Unstructured) bool
	// ready selects the EndpointSlices whose changes can affect all objects of this kind; nil for none.
	ready func(client.Object) bool
	// account returns a filter for objects of this kind, in any namespace, that name a ServiceAccount; nil for none.
	account func(client.Object) func(*unstructured.Unstructured) bool
	// extension returns a filter for objects of this kind, in any namespace, that may refer to an ExtensionService; nil for none.
	extension func(client.Object) func(*unstructured.Unstructured) bool
	// routed returns a filter for objects of this kind, in the namespace of a route of the Gateway API, that the route can affect; nil for none.
	routed func(client.Object) func(*unstructured.Unstructured) bool
	// servers returns the servers that decide for sidecars because of an object; nil for none.
	servers decisionServers
	// meshWide is true if objects in the namespace of the mesh have an effect too.
	meshWide bool
	// services and config are true if Services of the namespace or the MeshConfig affect the conditions.
	services, config bool
	// osmSummary adds OSM's two status fields to the conditions.
	osmSummary bool
	// recheck is the interval at which objects are evaluated without a change; 0 for never.
	recheck time.Duration
}

func (w Writers) policyKinds() []policyKind {
	return []policyKind{
		{
			kind: kinds.TrafficTarget, evaluate: EvaluateTarget, named: []schema.GroupVersionKind{kinds.HTTPRouteGroup, kinds.TCPRoute}, services: true,
			account: namingAccount, references: unresolved(ingest.TrafficTarget, unresolvedTarget),
		},
		{
			kind: kinds.TrafficSplit, evaluate: EvaluateSplit, services: true, conflicts: amongSplitsAndRoutes, routed: splitBy,
			related: []schema.GroupVersionKind{kinds.TrafficSplit}, named: []schema.GroupVersionKind{kinds.HTTPRouteGroup},
			references: unresolved(ingest.TrafficSplit, unresolvedSplit),
		},
		{kind: kinds.HTTPRouteGroup, evaluate: EvaluateRoutes(ingest.HTTPRouteGroup)},
		{kind: kinds.TCPRoute, evaluate: EvaluateRoutes(ingest.TCPRoute)},
		{kind: kinds.UDPRoute, evaluate: EvaluateUnenforced(ingest.UDPRoute)},
		{
			kind: kinds.Retry, evaluate: EvaluateRetry(w.Namespace), conflicting: sameSource, config: true,
			conflicts: among(kinds.Retry, sameSource, ingest.Retry, retryConflicts), references: unresolved(ingest.Retry, unresolvedRetry),
		},
		{
			kind: kinds.UpstreamTrafficSetting, evaluate: EvaluateSetting, services: true, osmSummary: true, servers: rateLimitServers,
			related:   []schema.GroupVersionKind{kinds.UpstreamTrafficSetting, kinds.HTTPRouteGroup, kinds.Egress},
			conflicts: amongAll(kinds.UpstreamTrafficSetting, ingest.UpstreamTrafficSetting, settingConflicts), references: unresolved(ingest.UpstreamTrafficSetting, unresolvedSetting),
		},
		{
			kind: kinds.Backpressure, evaluate: EvaluateBackpressure, services: true, conflicts: amongBackpressures,
			related: []schema.GroupVersionKind{kinds.Backpressure, kinds.UpstreamTrafficSetting},
		},
		{
			kind: kinds.IngressBackend, evaluate: EvaluateIngress(w.Namespace), services: true, config: true, osmSummary: true, referring: fromGateway,
			conflicts: amongAll(kinds.IngressBackend, ingest.IngressBackend, ingressConflicts),
			related:   []schema.GroupVersionKind{kinds.IngressBackend}, named: []schema.GroupVersionKind{kinds.HTTPRouteGroup},
			references: unresolved(ingest.IngressBackend, unresolvedIngress),
		},
		{
			kind: kinds.Egress, evaluate: EvaluateEgress(w.Namespace, w.LookupHost, w.Secrets), config: true, account: namingAccount, recheck: lookupInterval,
			referring: usingEgressGateway(w.Namespace), ready: isOfEgressGateway(w.Namespace), conflicts: amongAll(kinds.Egress, ingest.Egress, egressConflicts),
			related: []schema.GroupVersionKind{kinds.Egress}, named: []schema.GroupVersionKind{kinds.HTTPRouteGroup, kinds.UpstreamTrafficSetting},
			references: unresolved(ingest.Egress, unresolvedEgress),
		},
		{
			kind: kinds.Telemetry, evaluate: EvaluateTelemetry(w.Namespace), osmSummary: true, meshWide: true, extension: usingExtension(w.Namespace),
			related: []schema.GroupVersionKind{kinds.Telemetry}, conflicts: amongAll(kinds.Telemetry, ingest.Telemetry, telemetryConflicts),
			references: unresolved(ingest.Telemetry, func(ctx context.Context, reader client.Reader, policy *catalog.Telemetry) ([]ingest.Problem, error) {
				return unresolvedCollector(ctx, reader, policy, w.Namespace)
			}),
		},
		{
			kind: kinds.ExternalAuthorization, evaluate: EvaluateAuthorization(w.Namespace), meshWide: true, extension: usingExtension(w.Namespace),
			related: []schema.GroupVersionKind{kinds.ExternalAuthorization}, servers: authorizationServer(w.Namespace),
			conflicts:  amongAll(kinds.ExternalAuthorization, ingest.ExternalAuthorization, authorizationConflicts),
			references: unresolved(ingest.ExternalAuthorization, unresolvedExtension(w.Namespace)),
		},
		{kind: kinds.ExtensionService, evaluate: EvaluateRoutes(ingest.ExtensionService), meshWide: true},
	}
}
