package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// listEntries returns the entries of a kind; an empty namespace means all namespaces.
func listEntries[E comparable](
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string,
	read func(*unstructured.Unstructured) (E, []ingest.Problem),
) ([]E, error) {
	return listMatching(ctx, reader, kind, namespace, func(*unstructured.Unstructured) bool { return true }, read)
}

// listMatching returns the entries whose objects pass a filter that is cheaper than ingest.
func listMatching[E comparable](
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string,
	matches func(*unstructured.Unstructured) bool, read func(*unstructured.Unstructured) (E, []ingest.Problem),
) ([]E, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	// Objects from the cache are only read here, so they need no copy.
	if err := reader.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		if meta.IsNoMatchError(err) {
			return nil, nil // the cluster does not define the kind
		}
		return nil, err
	}
	var all []E
	for i := range list.Items {
		if !matches(&list.Items[i]) {
			continue
		}
		var none E
		if entry, _ := read(&list.Items[i]); entry != none {
			all = append(all, entry)
		}
	}
	return all, nil
}

// age determines precedence between policies: the oldest wins, and the name among equals, as in the catalog.
type age struct {
	created time.Time
	name    catalog.Name
}

func (a age) before(b age) bool {
	order := a.created.Compare(b.created)
	return order < 0 || order == 0 && a.name.Compare(b.name) < 0
}

func ageOf(entry catalog.Entry) age {
	result := age{name: entry.Ref().Name}
	if policy, ok := entry.(catalog.Aged); ok {
		result.created = policy.Age()
	}
	return result
}

// conflict returns the problem that another policy has precedence.
func conflict(format string, args ...any) ingest.Problem {
	return ingest.Problem{Reason: kinds.ReasonConflicted, Message: fmt.Sprintf(format, args...)}
}

// oldestBefore returns the oldest matching entry that is older than mine.
func oldestBefore[E catalog.Entry](mine E, all []E, matches func(E) bool) (oldest E, found bool) {
	first := ageOf(mine)
	for _, other := range all {
		if at := ageOf(other); matches(other) && at.before(first) {
			oldest, first, found = other, at, true
		}
	}
	return oldest, found
}

// relatedFinder finds problems of an object with others, such as older policies with precedence. It ignores objects that cannot be read.
type relatedFinder func(context.Context, client.Reader, *unstructured.Unstructured) []ingest.Problem

// CheckRelated returns a function that finds why a new object will have no effect, or only a part of it: older policies with precedence, a switch of
// the MeshConfig in the namespace of the mesh that disables its kind, or references to what does not exist. It provides warnings for admission, so
// objects that cannot be read are ignored.
func CheckRelated(reader client.Reader, namespace string) func(context.Context, *unstructured.Unstructured) []ingest.Problem {
	rows := map[schema.GroupKind]policyKind{}
	for _, k := range (Writers{Namespace: namespace}).policyKinds() {
		rows[k.kind.GroupKind()] = k
	}
	return func(ctx context.Context, object *unstructured.Unstructured) []ingest.Problem {
		problems, _ := disabledFeature(ctx, reader, namespace, object.GroupVersionKind())
		row := rows[object.GroupVersionKind().GroupKind()]
		if row.conflicts != nil {
			problems = append(problems, row.conflicts(ctx, reader, object)...)
		}
		if row.references != nil {
			problems = append(problems, row.references(ctx, reader, object)...)
		}
		return problems
	}
}

// amongAll compares an object with all others of its kind in its namespace.
func amongAll[E comparable](
	kind schema.GroupVersionKind, read func(*unstructured.Unstructured) (E, []ingest.Problem), compare func(E, []E) []ingest.Problem,
) relatedFinder {
	every := func(client.Object) func(*unstructured.Unstructured) bool {
		return func(*unstructured.Unstructured) bool { return true }
	}
	return among(kind, every, read, compare)
}

// among compares an object with those of its kind in its namespace that pass a filter, which is cheaper than ingest.
func among[E comparable](
	kind schema.GroupVersionKind, filter func(client.Object) func(*unstructured.Unstructured) bool,
	read func(*unstructured.Unstructured) (E, []ingest.Problem), compare func(E, []E) []ingest.Problem,
) relatedFinder {
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
