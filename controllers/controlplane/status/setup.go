package status

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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
	// Mirror is the mesh that policies are evaluated in.
	Mirror *mirror.Mirror
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
	w.Leader.Notify(w.Rejections.Changed)
	return w.addMeshConfig(mgr)
}

// addPolicies adds a controller for each policy kind, once the cluster defines the kind.
func (w Writers) addPolicies(mgr manager.Manager) error {
	reader := mgr.GetClient()
	evaluator := Evaluator{Mirror: w.Mirror, Namespace: w.Namespace, LookupHost: w.LookupHost}
	for _, k := range policyKinds() {
		r := &Reconciler{
			Client: reader, Recorder: mgr.GetEventRecorder(names.Controller), Leader: w.Leader, OSMSummary: k.osmSummary,
			Kind: kinds.Object(k.kind), Rejections: w.Rejections, InMesh: w.concerned(reader, k), Recheck: k.recheck,
			Evaluate: evaluator.evaluate, Forget: w.Mirror.Forget, LookupHost: w.LookupHost, Quiet: kinds.HasQuietStatus(k.kind.Kind),
		}
		if err := w.add(mgr, k.kind, r, k.decided); err != nil {
			return err
		}
	}
	return nil
}

// add adds the controller of a kind, once the cluster defines the kind. It reconciles all objects each time this replica acquires the Lease. decided is that
// of a policyKind.
func (w Writers) add(mgr manager.Manager, kind schema.GroupVersionKind, r reconcile.Reconciler, decided bool) error {
	acquired, listed := w.Leader.acquisitions(), enqueueNamespace(mgr.GetClient(), kind)
	return w.Definitions.Start(mgr, func() error {
		b := ctrl.NewControllerManagedBy(mgr).Named("status-" + string(kinds.EntryKind(kind))).For(kinds.Object(kind)).
			WithOptions(backoff.Options(1)).
			WatchesRawSource(source.Channel(acquired, listed)).
			WatchesRawSource(source.Channel(w.Rejections.Watch(kind), &handler.EnqueueRequestForObject{})).
			WatchesRawSource(source.Channel(traffic.WatchMirror(w.Mirror, kind), &handler.EnqueueRequestForObject{}))
		if decided {
			b = b.WatchesRawSource(source.Channel(w.Rejections.servers.watch(kind), listed))
		}
		return b.Complete(r)
	}, kind)
}

// enqueueNamespace enqueues the objects of the kind in the namespace of the changed object. An empty namespace means all.
func enqueueNamespace(reader client.Reader, kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := reader.List(ctx, list, client.InNamespace(object.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list", "kind", kind.Kind)
			return nil
		}
		result := make([]ctrl.Request, len(list.Items))
		for i := range list.Items {
			result[i] = ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])}
		}
		return result
	})
}

// concerned returns a function that reports whether the mesh writes the status of an object of the kind. The object is evaluated again once its namespace
// joins or leaves the mesh.
func (w Writers) concerned(reader client.Reader, k policyKind) func(context.Context, *unstructured.Unstructured) (bool, error) {
	return func(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
		if k.meshWide && object.GetNamespace() == w.Namespace {
			return true, nil
		}
		return isConcerned(ctx, reader, w.Mirror, object)
	}
}

// isConcerned reports whether an object is in a namespace of the mesh that is not being deleted: no Event can be created in such a namespace.
func isConcerned(ctx context.Context, reader client.Reader, mesh *mirror.Mirror, object *unstructured.Unstructured) (member bool, err error) {
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}
	mesh.Read(refOf(object.GroupVersionKind(), request), func(v *catalog.View) { member = v.IsMember(object.GetNamespace()) })
	var namespace corev1.Namespace
	if !member {
		return false, nil
	}
	if err := reader.Get(ctx, client.ObjectKey{Name: object.GetNamespace()}, &namespace); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return namespace.DeletionTimestamp == nil, nil
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
	// acquired are called each time the Lease is acquired, after which all objects are reconciled again.
	acquired []func()
}

// Leading reports whether this replica holds the Lease.
func (l *Leader) Leading() bool { return l.leading.Load() }

// Notify calls a function each time this replica acquires the Lease. The function must not block, and Notify must be called before Run.
func (l *Leader) Notify(call func()) { l.acquired = append(l.acquired, call) }

// acquisitions returns a channel of events without a namespace, one each time this replica acquires the Lease. It must be called before Run.
func (l *Leader) acquisitions() <-chan event.GenericEvent {
	c := make(chan event.GenericEvent, 1)
	l.Notify(func() { signal(c, event.GenericEvent{Object: &unstructured.Unstructured{}}) })
	return c
}

// signal sends a value to a channel with room for one, unless the channel has one that nobody has received yet. It does not block.
func signal[T any](to chan<- T, value T) {
	select {
	case to <- value:
	default:
	}
}

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
				for _, call := range l.acquired {
					call()
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

// policyKind describes a kind whose objects get status conditions.
type policyKind struct {
	kind schema.GroupVersionKind
	// meshWide is true if objects in the namespace of the mesh have an effect too.
	meshWide bool
	// osmSummary adds OSM's two status fields to the conditions.
	osmSummary bool
	// decided is true if servers decide for sidecars because of an object.
	decided bool
	// recheck is the interval at which objects are evaluated without a change; 0 for never.
	recheck time.Duration
}

func policyKinds() []policyKind {
	return []policyKind{
		{kind: kinds.TrafficTarget},
		{kind: kinds.TrafficSplit},
		{kind: kinds.HTTPRouteGroup},
		{kind: kinds.TCPRoute},
		{kind: kinds.UDPRoute},
		{kind: kinds.Retry},
		{kind: kinds.UpstreamTrafficSetting, osmSummary: true, decided: true},
		{kind: kinds.Backpressure},
		{kind: kinds.IngressBackend, osmSummary: true},
		{kind: kinds.Egress, recheck: lookupInterval},
		{kind: kinds.Telemetry, osmSummary: true, meshWide: true},
		{kind: kinds.ExternalAuthorization, meshWide: true, decided: true},
		{kind: kinds.ExtensionService, meshWide: true},
	}
}
