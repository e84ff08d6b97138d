package status

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// FindConflicts returns a function that finds older policies with precedence over a new object. It provides warnings for
// admission, so objects that cannot be read are ignored.
func FindConflicts(reader client.Reader) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	return func(ctx context.Context, object *unstructured.Unstructured) []ingest.Problem {
		namespace := object.GetNamespace()
		switch object.GroupVersionKind().GroupKind() {
		case traffic.TrafficSplit.GroupKind():
			if split, _ := ingest.TrafficSplit(object); split != nil {
				others, _ := listEntries(ctx, reader, traffic.TrafficSplit, namespace, ingest.TrafficSplit)
				return splitConflicts(split, others)
			}
		case traffic.Retry.GroupKind():
			if retry, _ := ingest.Retry(object); retry != nil {
				others, _ := listMatching(ctx, reader, traffic.Retry, namespace, sameSource(object), ingest.Retry)
				return retryConflicts(retry, others)
			}
		case traffic.UpstreamTrafficSetting.GroupKind():
			if setting, _ := ingest.UpstreamTrafficSetting(object); setting != nil {
				others, _ := listEntries(ctx, reader, traffic.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				return settingConflicts(setting, others)
			}
		case traffic.IngressBackend.GroupKind():
			if policy, _ := ingest.IngressBackend(object); policy != nil {
				others, _ := listEntries(ctx, reader, traffic.IngressBackend, namespace, ingest.IngressBackend)
				return ingressConflicts(policy, others)
			}
		case traffic.Egress.GroupKind():
			if policy, _ := ingest.Egress(object); policy != nil {
				others, _ := listEntries(ctx, reader, traffic.Egress, namespace, ingest.Egress)
				return egressConflicts(policy, others)
			}
		case traffic.ExternalAuthorization.GroupKind():
			policy, _ := ingest.ExternalAuthorization(object)
			others, _ := listEntries(ctx, reader, traffic.ExternalAuthorization, namespace, ingest.ExternalAuthorization)
			return authorizationConflicts(policy, others)
		case traffic.Telemetry.GroupKind():
			if policy, _ := ingest.Telemetry(object); policy != nil {
				others, _ := listEntries(ctx, reader, traffic.Telemetry, namespace, ingest.Telemetry)
				return telemetryConflicts(policy, others)
			}
		case traffic.Backpressure.GroupKind():
			if setting, _ := ingest.Backpressure(object); setting != nil {
				newer, _ := listEntries(ctx, reader, traffic.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				others, _ := listEntries(ctx, reader, traffic.Backpressure, namespace, ingest.Backpressure)
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
