package status

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Beside finds what stands beside an object that somebody writes: an older policy about the same thing, which counts instead. It is
// advice for admission; what cannot be read is not told.
func Beside(reader client.Reader) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	return func(ctx context.Context, object *unstructured.Unstructured) []ingest.Problem {
		namespace := object.GetNamespace()
		switch object.GroupVersionKind().GroupKind() {
		case traffic.TrafficSplit.GroupKind():
			if split, _ := ingest.TrafficSplit(object); split != nil {
				others, _ := entries(ctx, reader, traffic.TrafficSplit, namespace, ingest.TrafficSplit)
				return besideSplits(split, others)
			}
		case traffic.Retry.GroupKind():
			if retry, _ := ingest.Retry(object); retry != nil {
				others, _ := entriesLike(ctx, reader, traffic.Retry, "", sameSource(object), ingest.Retry)
				return besideRetries(retry, others)
			}
		case traffic.UpstreamTrafficSetting.GroupKind():
			if setting, _ := ingest.UpstreamTrafficSetting(object); setting != nil {
				others, _ := entries(ctx, reader, traffic.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				return besideSettings(setting, others)
			}
		case traffic.Backpressure.GroupKind():
			if setting, _ := ingest.Backpressure(object); setting != nil {
				newer, _ := entries(ctx, reader, traffic.UpstreamTrafficSetting, namespace, ingest.UpstreamTrafficSetting)
				others, _ := entries(ctx, reader, traffic.Backpressure, namespace, ingest.Backpressure)
				return besideBackpressure(setting, newer, others)
			}
		}
		return nil
	}
}

// besideBackpressure is about the UpstreamTrafficSetting of the same Service, or else an older Backpressure.
func besideBackpressure(setting *catalog.UpstreamTrafficSetting, newer, others []*catalog.UpstreamTrafficSetting) []ingest.Problem {
	for _, other := range newer {
		if other.Service == setting.Service {
			return []ingest.Problem{conflict("UpstreamTrafficSetting %s is about Service %s and counts instead: delete this Backpressure.", other.Name, setting.Service)}
		}
	}
	return besideSettings(setting, others)
}
