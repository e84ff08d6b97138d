package status

import (
	"context"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// relatedWatch is a watch of a kind whose objects affect the conditions of those of another kind.
type relatedWatch struct {
	kind       schema.GroupVersionKind
	handler    handler.EventHandler
	predicates []predicate.Predicate
}

// relatedWatches returns the watches for objects of a kind, except those of kinds that every cluster defines.
func relatedWatches(reader client.Reader, k policyKind) []relatedWatch {
	var list []relatedWatch
	specs := []predicate.Predicate{predicate.GenerationChangedPredicate{}}
	for _, other := range k.related {
		list = append(list, relatedWatch{other, enqueueSameNamespace(reader, k.kind), specs})
	}
	for _, other := range k.named {
		list = append(list, relatedWatch{other, enqueueNaming(reader, k.kind), specs})
	}
	if k.extension != nil {
		list = append(list, relatedWatch{kinds.ExtensionService, enqueueConflicting(reader, k.kind, k.extension), nil})
	}
	return list
}

// startWatches starts each watch once the cluster defines its kind. It returns when all have started, or when ctx ends. A kind can be defined
// later than the one that it affects, and the first discovery can fail.
func startWatches(ctx context.Context, mapper meta.RESTMapper, list []relatedWatch, start func(relatedWatch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range list {
		group.Go(func() error { return traffic.WhenDefined(ctx, mapper, func() error { return start(w) }, w.kind) })
	}
	return group.Wait()
}
