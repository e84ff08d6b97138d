package status

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// conflictFinder finds older policies with precedence over an object. It ignores objects that cannot be read.
type conflictFinder func(context.Context, client.Reader, *unstructured.Unstructured) []ingest.Problem

// FindConflicts returns a function that finds older policies with precedence over a new object. It provides warnings for
// admission, so objects that cannot be read are ignored.
func FindConflicts(reader client.Reader) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	finders := map[schema.GroupKind]conflictFinder{}
	for _, k := range (Writers{}).policyKinds() {
		finders[k.kind.GroupKind()] = k.conflicts
	}
	return func(ctx context.Context, object *unstructured.Unstructured) []ingest.Problem {
		if find := finders[object.GroupVersionKind().GroupKind()]; find != nil {
			return find(ctx, reader, object)
		}
		return nil
	}
}

// amongAll compares an object with all others of its kind in its namespace.
func amongAll[E comparable](
	kind schema.GroupVersionKind, read func(*unstructured.Unstructured) (E, []ingest.Problem), compare func(E, []E) []ingest.Problem,
) conflictFinder {
	every := func(client.Object) func(*unstructured.Unstructured) bool {
		return func(*unstructured.Unstructured) bool { return true }
	}
	return among(kind, every, read, compare)
}

// among compares an object with those of its kind in its namespace that pass a filter, which is cheaper than ingest.
func among[E comparable](
	kind schema.GroupVersionKind, filter func(client.Object) func(*unstructured.Unstructured) bool,
	read func(*unstructured.Unstructured) (E, []ingest.Problem), compare func(E, []E) []ingest.Problem,
) conflictFinder {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) []ingest.Problem {
		var none E
		policy, _ := read(object)
		if policy == none {
			return nil
		}
		others, _ := listMatching(ctx, reader, kind, object.GetNamespace(), filter(object), read)
		return compare(policy, others)
	}
}

// amongBackpressures compares a Backpressure with the UpstreamTrafficSettings and Backpressures of its namespace.
func amongBackpressures(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) []ingest.Problem {
	setting, _ := ingest.Backpressure(object)
	if setting == nil {
		return nil
	}
	newer, _ := listEntries(ctx, reader, kinds.UpstreamTrafficSetting, object.GetNamespace(), ingest.UpstreamTrafficSetting)
	others, _ := listEntries(ctx, reader, kinds.Backpressure, object.GetNamespace(), ingest.Backpressure)
	return backpressureConflicts(setting, newer, others)
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
