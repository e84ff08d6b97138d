package components

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// discoveryPeriod is how long a discovery answer is used. A change of a CustomResourceDefinition discards all answers, also those of the next
// definitionDelay: the API server follows its definitions with a delay.
const discoveryPeriod = 10 * time.Minute

// Watches starts the watch of a kind when the API server serves it, and stops it when it no longer does.
type Watches struct {
	// Objects reads the watched objects from a cache, and writes them.
	Objects client.Client

	discovery discovery.DiscoveryInterface
	cache     cache.Cache
	// gateways reads Gateways from gatewayCache. They belong to users, so they have no label of a mesh.
	gateways     client.Reader
	gatewayCache cache.Cache
	controller   controller.Controller

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
	object := objectOf(kind.GroupVersionKind)
	return w.ensure(ctx, kind, w.cache, source.Kind(w.cache, object, enqueue.ByLabel[*unstructured.Unstructured](names.MeshLabel)))
}

// ensure reports whether a kind is served, and starts or stops its watch, which informers of a cache feed.
func (w *Watches) ensure(ctx context.Context, kind component.Kind, informers cache.Cache, changes source.Source) (bool, error) {
	is, err := w.isServed(kind.GroupVersionKind)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case is && !w.watched[kind.GroupVersionKind]:
		if err := w.controller.Watch(changes); err != nil {
			return false, fmt.Errorf("the kind %s cannot be watched: %w", kind.Kind, err)
		}
		w.watched[kind.GroupVersionKind] = true
	case !is && w.watched[kind.GroupVersionKind]:
		if err := informers.RemoveInformer(ctx, objectOf(kind.GroupVersionKind)); err != nil {
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

// definitionDelay is the time after which a changed CustomResourceDefinition is looked at again: the API server serves a new kind shortly
// after the definition is established.
const definitionDelay = 2 * time.Second

// definitions is the metadata of CustomResourceDefinitions.
func definitions() *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	return metadata
}

// NewWatches returns the watches of the kinds of components, and adds their cache to mgr. The unstructured cache holds only objects of meshes,
// and watches a kind from its first use.
func NewWatches(mgr ctrl.Manager) (*Watches, error) {
	ofMeshes, err := labels.NewRequirement(names.MeshLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	objects, err := newCluster(mgr, labels.NewSelector().Add(*ofMeshes))
	if err != nil {
		return nil, err
	}
	gateways, err := newCluster(mgr, labels.Everything())
	if err != nil {
		return nil, err
	}
	watches, err := newWatches(mgr, objects.GetCache())
	if err != nil {
		return nil, err
	}
	watches.Objects = limitReads(objects.GetClient(), objects.GetCache())
	watches.gateways, watches.gatewayCache = limitReads(gateways.GetClient(), gateways.GetCache()), gateways.GetCache()
	return watches, nil
}

// newCluster returns a client and a cache for the selected objects, and adds it to mgr.
func newCluster(mgr ctrl.Manager, selected labels.Selector) (cluster.Cluster, error) {
	objects, err := cluster.New(mgr.GetConfig(), func(o *cluster.Options) {
		o.Scheme, o.Logger = runtime.NewScheme(), mgr.GetLogger()
		o.Cache = cache.Options{
			DefaultLabelSelector: selected,
			DefaultTransform:     cache.TransformStripManagedFields(),
			NewInformer:          backoff.NewInformer,
			ByObject:             map[client.Object]cache.ByObject{definitions(): {Label: labels.Everything()}},
		}
		o.Client = client.Options{Cache: &client.CacheOptions{Unstructured: true}}
	})
	if err != nil {
		return nil, fmt.Errorf("the cache of components cannot be created: %w", err)
	}
	return objects, mgr.Add(objects)
}

// Controller reconciles components after changes of what it watches.
type Controller struct {
	*Reconciler
	// Watches are the Kinds of the Reconciler.
	Watches *Watches
}

// SetupWithManager adds the controller to mgr.
func (c Controller) SetupWithManager(mgr ctrl.Manager) (err error) {
	c.Watches.controller, err = enqueue.NewController(mgr, "components").
		Watches(&v1alpha1.MeshRevision{}, enqueue.ByMeshLabel()).
		Watches(&corev1.Namespace{}, enqueue.ByLabel[client.Object](names.MonitoredByLabel)).
		Watches(&configv1alpha2.MeshConfig{}, enqueue.Mapper{Cluster: c.Cluster}.BySiblings(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Kind(c.Watches.cache, definitions(), c.onDefinition(c.Watches))).
		Build(enqueue.RetryConflicts(reconcile.AsReconciler(c.Client, c.Reconciler)))
	return err
}

// onDefinition reconciles all meshes when a definition that a component requires appears, changes or disappears.
func (r *Reconciler) onDefinition(kinds *Watches) handler.TypedEventHandler[*metav1.PartialObjectMetadata, reconcile.Request] {
	required := map[string]bool{}
	for _, c := range r.Components {
		for _, kind := range c.Requires() {
			required[kind.Resource+"."+kind.Group] = true
		}
		if _, reads := c.(component.GatewayReader); reads {
			required[component.Gateway().Resource+"."+component.Gateway().Group] = true
		}
	}
	return enqueue.Changes(func(ctx context.Context, definition *metav1.PartialObjectMetadata, queue enqueue.Queue) {
		if !required[definition.Name] {
			return
		}
		kinds.forget()
		for _, request := range (enqueue.Mapper{Cluster: r.Cluster}).Filter(ctx, func(*v1alpha1.Mesh) bool { return true }) {
			queue.Add(request)
			// AddAfter would have no effect: the queue merges it with the request that it has.
			time.AfterFunc(definitionDelay, func() { queue.Add(request) })
		}
	})
}

// objectOf returns an empty object of a kind.
func objectOf(kind schema.GroupVersionKind) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object
}

// OfClass implements Gateways.
func (w *Watches) OfClass(ctx context.Context, class string) (gateways []*unstructured.Unstructured, served bool, err error) {
	kind := component.Gateway()
	// The control plane writes status, which changes no generation.
	changes := source.Kind(w.gatewayCache, objectOf(kind.GroupVersionKind), byClass(), predicate.TypedGenerationChangedPredicate[*unstructured.Unstructured]{})
	if served, err := w.ensure(ctx, kind, w.gatewayCache, changes); err != nil || !served {
		return nil, false, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersionKind)
	if err := w.gateways.List(ctx, list); err != nil {
		return nil, false, err
	}
	for i := range list.Items {
		if classOf(&list.Items[i]) == class {
			gateways = append(gateways, &list.Items[i])
		}
	}
	return gateways, true, nil
}

// byClass maps a Gateway to the Mesh with the name of its class. After a change of the class both are reconciled.
func byClass() handler.TypedEventHandler[*unstructured.Unstructured, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, gateway *unstructured.Unstructured) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: classOf(gateway)}}}
	})
}

func classOf(gateway *unstructured.Unstructured) string {
	class, _, _ := unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	return class
}
