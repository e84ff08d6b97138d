package components

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// discoveryPeriod is how long a discovery answer is used. A change of a CustomResourceDefinition discards all answers, also those of the next
// definitionDelay: the API server follows its definitions with a delay.
const discoveryPeriod = time.Minute

// Watches starts the watch of a kind when the API server serves it, and stops it when it no longer does.
type Watches struct {
	// Objects reads the watched objects from a cache, and writes them.
	Objects client.Client

	discovery  discovery.DiscoveryInterface
	cache      cache.Cache
	controller controller.Controller

	mu      sync.Mutex
	answers map[schema.GroupVersion]served
	// current is the time from which the answers of discovery include the last change of a definition. changes counts these changes.
	current time.Time
	changes int
	watched map[schema.GroupVersionKind]bool
}

// served is a discovery answer.
type served struct {
	kinds map[string]bool
	until time.Time
}

func newWatches(mgr ctrl.Manager, objects cache.Cache) (*Watches, error) {
	// A client with the HTTP client of the manager has no time limit.
	kinds, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("discovery of kinds cannot be prepared: %w", err)
	}
	return &Watches{
		discovery: kinds, cache: objects,
		answers: map[schema.GroupVersion]served{}, watched: map[schema.GroupVersionKind]bool{},
	}, nil
}

// Ensure implements Kinds.
func (w *Watches) Ensure(ctx context.Context, kind component.Kind) (bool, error) {
	is, err := w.isServed(kind.GroupVersionKind)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	object := objectOf(kind.GroupVersionKind)
	switch {
	case is && !w.watched[kind.GroupVersionKind]:
		if err := w.controller.Watch(source.Kind(w.cache, object, byLabel[*unstructured.Unstructured](names.MeshLabel))); err != nil {
			return false, fmt.Errorf("the kind %s cannot be watched: %w", kind.Kind, err)
		}
		w.watched[kind.GroupVersionKind] = true
	case !is && w.watched[kind.GroupVersionKind]:
		if err := w.cache.RemoveInformer(ctx, object); err != nil {
			return false, fmt.Errorf("the watch of kind %s cannot be stopped: %w", kind.Kind, err)
		}
		delete(w.watched, kind.GroupVersionKind)
	}
	return is, nil
}

// isServed asks discovery whether a kind is served. No lock is held meanwhile: the answer about one kind may take long.
func (w *Watches) isServed(kind schema.GroupVersionKind) (bool, error) {
	version, began := kind.GroupVersion(), time.Now()
	known, changes := w.answerOf(version)
	if known != nil && began.Before(known.until) {
		return known.kinds[kind.Kind], nil
	}
	list, err := w.discovery.ServerResourcesForGroupVersion(version.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("the kinds of %s cannot be discovered: %w", version, err)
	}
	answer := served{kinds: map[string]bool{}, until: began.Add(discoveryPeriod)}
	if list != nil {
		for i := range list.APIResources {
			answer.kinds[list.APIResources[i].Kind] = true
		}
	}
	w.remember(version, answer, began, changes)
	return answer.kinds[kind.Kind], nil
}

// answerOf returns the latest answer about a version, or nil, and the number of changes of definitions so far.
func (w *Watches) answerOf(version schema.GroupVersion) (*served, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer, ok := w.answers[version]; ok {
		return &answer, w.changes
	}
	return nil, w.changes
}

// remember keeps an answer, unless a definition has changed since the request.
func (w *Watches) remember(version schema.GroupVersion, answer served, began time.Time, changes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changes != changes {
		return
	}
	if began.Before(w.current) {
		answer.until = w.current
	}
	w.answers[version] = answer
}

// forget discards all discovery answers, and those until definitionDelay has passed.
func (w *Watches) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.answers)
	w.changes++
	w.current = time.Now().Add(definitionDelay)
}
