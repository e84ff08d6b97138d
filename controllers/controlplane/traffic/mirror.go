package traffic

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Mirror notifies of objects that would be evaluated otherwise now. mirror.Mirror implements it.
type Mirror interface {
	Watch(kind entity.Kind, notify func(context.Context, entity.Name))
}

// WatchMirror returns a channel of the objects of a kind that were evaluated, and would be evaluated otherwise now. A controller must start to read it soon.
func WatchMirror(mesh Mirror, kind schema.GroupVersionKind) <-chan event.GenericEvent {
	changed := make(chan event.GenericEvent)
	mesh.Watch(kinds.EntryKind(kind), func(ctx context.Context, name entity.Name) { Send(ctx, changed, kind, name) })
	return changed
}

// Send sends an event about an object, unless ctx ends before.
func Send(ctx context.Context, to chan<- event.GenericEvent, kind schema.GroupVersionKind, name entity.Name) {
	object := kinds.Object(kind)
	object.SetNamespace(name.Namespace)
	object.SetName(name.Name)
	select {
	case to <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}
