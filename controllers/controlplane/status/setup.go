package status

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Writers configures the status controllers of all policy kinds. All fields are required.
type Writers struct {
	Leader     *Leader
	Rejections *Rejections
	// Mesh is the name of the mesh.
	Mesh string
	// Namespace is the namespace of the MeshConfig.
	Namespace string
	// LookupHost resolves hosts outside the mesh.
	LookupHost HostLookup
	// Secrets reads Secrets from the API server.
	Secrets client.Reader
	// Definitions finds out which kinds the cluster defines.
	Definitions *traffic.Definitions
}

// Setup adds a controller for each policy kind, once the cluster defines the kind. It must be called before the Leader runs.
func (w Writers) Setup(mgr manager.Manager) error {
	w.LookupHost = newHostCache(w.LookupHost).lookupHost
	if err := w.addPolicies(mgr); err != nil {
		return err
	}
	if err := w.addRoutes(mgr); err != nil {
		return err
	}
	w.Leader.Notify(w.Rejections.wake)
	return w.addMeshConfig(mgr)
}

// addPolicies adds a controller for each policy kind, once the cluster defines the kind.
func (w Writers) addPolicies(mgr manager.Manager) error {
	for _, k := range w.policyKinds() {
		acquired := make(chan struct{}, 1)
		w.Leader.Notify(acquired)
		if w.Definitions.IsDefined(k.kind) {
			if err := w.add(mgr, k, acquired); err != nil {
				return err
			}
			continue
		}
		err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			return w.Definitions.WhenDefined(ctx, func() error { return w.add(mgr, k, acquired) }, k.kind)
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w Writers) add(mgr manager.Manager, k policyKind, acquired <-chan struct{}) error {
	reader := mgr.GetClient()
	r := &Reconciler{
		Client: reader, Recorder: mgr.GetEventRecorder(names.Controller), Leader: w.Leader, OSMSummary: k.osmSummary, Quiet: kinds.HasQuietStatus(k.kind.Kind),
		Kind: kinds.Object(k.kind), Evaluate: k.evaluate, Rejections: w.Rejections, InMesh: w.concerned(reader, k), Recheck: k.recheck,
		Servers: k.servers, LookupHost: w.LookupHost,
	}
	resync := make(chan event.GenericEvent)
	b := ctrl.NewControllerManagedBy(mgr).Named("status-"+k.kind.Kind).For(kinds.Object(k.kind)).
		WithOptions(backoff.Options(1)).
		WatchesRawSource(source.Channel(resync, enqueueAll(reader, k.kind, ""))).
		WatchesRawSource(source.Channel(w.Rejections.Watch(k.kind), &handler.EnqueueRequestForObject{})).
		// A namespace can join the mesh after an object was created, or arrive in the cache after it. Its annotations concern Egresses.
		Watches(&corev1.Namespace{}, enqueueInNamespace(reader, k.kind), builder.WithPredicates(predicate.Or(predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{})))
	if k.servers != nil {
		b = b.WatchesRawSource(source.Channel(w.Rejections.servers.watch(k.kind), enqueueSameNamespace(reader, k.kind)))
	}
	if k.conflicting != nil {
		b = b.Watches(kinds.Object(k.kind), enqueueConflicting(reader, k.kind, k.conflicting))
	}
	if k.services {
		b = b.Watches(&corev1.Service{}, enqueueSameNamespace(reader, k.kind), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}))
	}
	if k.referring != nil {
		b = b.Watches(&corev1.Service{}, enqueueConflicting(reader, k.kind, k.referring), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}))
	}
	if k.ready != nil {
		b = b.Watches(&discoveryv1.EndpointSlice{}, enqueueAll(reader, k.kind, ""), builder.WithPredicates(predicate.NewPredicateFuncs(k.ready)))
	}
	if k.account != nil {
		b = b.Watches(&corev1.ServiceAccount{}, enqueueConflicting(reader, k.kind, k.account), builder.WithPredicates(accountExistenceChanged()))
	}
	if k.config {
		b = b.Watches(&configv1alpha2.MeshConfig{}, enqueueAll(reader, k.kind, ""), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	controller, err := b.Build(r)
	if err != nil {
		return err
	}
	start := func(watch relatedWatch) error {
		var object client.Object = kinds.Object(watch.kind)
		return controller.Watch(source.Kind(mgr.GetCache(), object, watch.handler, watch.predicates...))
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		return startWatches(ctx, w.Definitions, relatedWatches(reader, k), start)
	}))
	if err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return forward(ctx, acquired, resync) }))
}

// forward sends an event each time this replica acquires the Lease.
func forward(ctx context.Context, acquired <-chan struct{}, resync chan<- event.GenericEvent) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-acquired:
			select {
			case resync <- event.GenericEvent{Object: &unstructured.Unstructured{}}:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// enqueueConflicting enqueues the objects of the kind, in all namespaces, that the changed object can affect.
func enqueueConflicting(reader client.Reader, kind schema.GroupVersionKind, of func(client.Object) func(*unstructured.Unstructured) bool) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		return listMatchingRequests(ctx, reader, kind, "", of(object))
	})
}

// enqueueSameNamespace enqueues the objects of the kind in the namespace of the changed object.
func enqueueSameNamespace(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		return listRequests(ctx, reader, kind, object.GetNamespace())
	})
}

// enqueueNaming enqueues the objects of the kind in the namespace of the changed object that name it.
func enqueueNaming(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		return listMatchingRequests(ctx, reader, kind, object.GetNamespace(), func(o *unstructured.Unstructured) bool {
			return contains(o.Object["spec"], object.GetName())
		})
	})
}

// contains reports whether a text is anywhere in decoded JSON. It finds names in every field, so that no list of fields has to be complete.
func contains(tree any, text string) bool {
	switch node := tree.(type) {
	case string:
		return node == text
	case []any:
		return slices.ContainsFunc(node, func(child any) bool { return contains(child, text) })
	case map[string]any:
		for _, child := range node {
			if contains(child, text) {
				return true
			}
		}
	}
	return false
}

// enqueueInNamespace enqueues the objects of the kind in the changed namespace.
func enqueueInNamespace(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []ctrl.Request {
		return listRequests(ctx, reader, kind, namespace.GetName())
	})
}

// enqueueAll enqueues the objects of the kind in all namespaces.
func enqueueAll(reader client.Reader, kind schema.GroupVersionKind, namespace string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []ctrl.Request {
		return listRequests(ctx, reader, kind, namespace)
	})
}

func listRequests(ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string) []ctrl.Request {
	return listMatchingRequests(ctx, reader, kind, namespace, func(*unstructured.Unstructured) bool { return true })
}

func listMatchingRequests(
	ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, namespace string, matches func(*unstructured.Unstructured) bool,
) []ctrl.Request {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := reader.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list", "kind", kind.Kind)
		return nil
	}
	var result []ctrl.Request
	for i := range list.Items {
		if matches(&list.Items[i]) {
			result = append(result, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return result
}

// concerned returns a function that reports whether the mesh writes the status of objects of the kind in a namespace.
func (w Writers) concerned(reader client.Reader, k policyKind) func(context.Context, string) (bool, error) {
	member := inMesh(reader, w.Mesh)
	return func(ctx context.Context, namespace string) (bool, error) {
		if k.meshWide && namespace == w.Namespace {
			return true, nil
		}
		return member(ctx, namespace)
	}
}

// inMesh returns a function that reports whether a namespace is part of the mesh. A namespace in deletion does not count,
// because no Event can be created in it.
func inMesh(reader client.Reader, mesh string) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, namespace string) (bool, error) {
		var ns corev1.Namespace
		if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		entry, _ := ingest.Namespace(&ns, mesh)
		return entry.Monitored && ns.DeletionTimestamp == nil, nil
	}
}

// Leader holds the Lease for writing status, which one replica of the control plane has at a time. xDS does not depend on it.
type Leader struct {
	leading atomic.Bool
	// acquired receives a value each time the Lease is acquired, after which all objects are reconciled again.
	acquired []chan<- struct{}
}

// Leading reports whether this replica holds the Lease.
func (l *Leader) Leading() bool { return l.leading.Load() }

// Notify sends a value to c each time this replica acquires the Lease. It must be called before Run.
func (l *Leader) Notify(c chan<- struct{}) { l.acquired = append(l.acquired, c) }

// Run competes for the Lease until ctx ends.
func (l *Leader) Run(ctx context.Context, clients kubernetes.Interface, namespace, replica string, log logr.Logger) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: names.StatusLease},
		Client:     clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: replica},
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				log.Info("acquired the Lease for policy status")
				l.leading.Store(true)
				for _, c := range l.acquired {
					select {
					case c <- struct{}{}:
					default:
					}
				}
			},
			OnStoppedLeading: func() { l.leading.Store(false) },
		},
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		elector.Run(ctx)
	}
	return nil
}
