package status

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// FindConflicts returns a function that finds older policies with precedence over a new object. It provides warnings for
// admission, so objects that cannot be read are ignored.
func FindConflicts(reader client.Reader) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	return func(ctx context.Context, object *unstructured.Unstructured) []ingest.Problem {
		namespace := object.GetNamespace()
		switch object.GroupVersionKind().GroupKind() {
		case kinds.TrafficSplit.GroupKind():
			if split, _ := ingest.TrafficSplit(object); split != nil {
				others, _ := listEntries(ctx, reader, kinds.TrafficSplit, namespace, ingest.TrafficSplit)
				return splitConflicts(split, others)
			}
		case kinds.Retry.GroupKind():
			if retry, _ := ingest.Retry(object); retry != nil {
				others, _ := listMatching(ctx, reader, kinds.Retry, namespace, sameSource(object), ingest.Retry)
				return retryConflicts(retry, others)
			}
		case kinds.UpstreamTrafficSetting.GroupKind():
			if setting, _ := ingest.UpstreamTrafficSetting(object); setting != nil {
				others, _ := listEntries(ctx, reader, kinds.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				return settingConflicts(setting, others)
			}
		case kinds.IngressBackend.GroupKind():
			if policy, _ := ingest.IngressBackend(object); policy != nil {
				others, _ := listEntries(ctx, reader, kinds.IngressBackend, namespace, ingest.IngressBackend)
				return ingressConflicts(policy, others)
			}
		case kinds.Egress.GroupKind():
			if policy, _ := ingest.Egress(object); policy != nil {
				others, _ := listEntries(ctx, reader, kinds.Egress, namespace, ingest.Egress)
				return egressConflicts(policy, others)
			}
		case kinds.ExternalAuthorization.GroupKind():
			policy, _ := ingest.ExternalAuthorization(object)
			others, _ := listEntries(ctx, reader, kinds.ExternalAuthorization, namespace, ingest.ExternalAuthorization)
			return authorizationConflicts(policy, others)
		case kinds.Telemetry.GroupKind():
			if policy, _ := ingest.Telemetry(object); policy != nil {
				others, _ := listEntries(ctx, reader, kinds.Telemetry, namespace, ingest.Telemetry)
				return telemetryConflicts(policy, others)
			}
		case kinds.Backpressure.GroupKind():
			if setting, _ := ingest.Backpressure(object); setting != nil {
				newer, _ := listEntries(ctx, reader, kinds.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				others, _ := listEntries(ctx, reader, kinds.Backpressure, namespace, ingest.Backpressure)
				return backpressureConflicts(setting, newer, others)
			}
		}
		return nil
	}
}

// backpressureConflicts returns the conflict with an UpstreamTrafficSetting of the same Service, or else with an older Backpressure.
func backpressureConflicts(setting *catalog.UpstreamTrafficSetting, newer, others []*catalog.UpstreamTrafficSetting) []ingest.Problem {
	for _, other := range newer {
		if other.Service == setting.Service {
			return []ingest.Problem{conflict("UpstreamTrafficSetting %s configures Service %s and has precedence: delete this Backpressure.", other.Name, setting.Service)}
		}
	}
	return settingConflicts(setting, others)
}
