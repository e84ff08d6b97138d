package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// entries are the objects of a kind that have a place in the mesh; those of all namespaces when namespace is empty.
func entries[E comparable](
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string,
	read func(*unstructured.Unstructured) (E, []ingest.Problem),
) ([]E, error) {
	return entriesLike(ctx, reader, kind, namespace, func(*unstructured.Unstructured) bool { return true }, read)
}

// entriesLike are those entries whose objects are alike: a look that is cheaper than reading.
func entriesLike[E comparable](
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string,
	alike func(*unstructured.Unstructured) bool, read func(*unstructured.Unstructured) (E, []ingest.Problem),
) ([]E, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	// Objects of the cache are only read here, and need not be copied.
	if err := reader.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		if meta.IsNoMatchError(err) {
			return nil, nil // the cluster does not define the kind
		}
		return nil, err
	}
	var all []E
	for i := range list.Items {
		if !alike(&list.Items[i]) {
			continue
		}
		var none E
		if entry, _ := read(&list.Items[i]); entry != none {
			all = append(all, entry)
		}
	}
	return all, nil
}

// age is what decides between policies about the same thing: the oldest counts, by name among equals, as in the catalog.
type age struct {
	created time.Time
	name    catalog.Name
}

func (a age) before(b age) bool {
	order := a.created.Compare(b.created)
	return order < 0 || order == 0 && a.name.Compare(b.name) < 0
}

func ageOf(entry catalog.Entry) age {
	switch e := entry.(type) {
	case *catalog.TrafficSplit:
		return age{e.Created, e.Name}
	case *catalog.Retry:
		return age{e.Created, e.Name}
	case *catalog.UpstreamTrafficSetting:
		return age{e.Created, e.Name}
	}
	return age{name: entry.Ref().Name}
}

// conflict says which other policy counts instead.
func conflict(format string, args ...any) ingest.Problem {
	return ingest.Problem{Reason: ReasonConflicted, Message: fmt.Sprintf(format, args...)}
}

// olderThan is the oldest of those that fit and are older than an entry; the zero value when there is none.
func olderThan[E catalog.Entry](mine E, all []E, fits func(E) bool) (oldest E, found bool) {
	first := ageOf(mine)
	for _, other := range all {
		if at := ageOf(other); fits(other) && at.before(first) {
			oldest, first, found = other, at, true
		}
	}
	return oldest, found
}
