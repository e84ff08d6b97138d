package dataplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Plane observes and restarts the workloads of all meshes of a cluster.
type Plane struct {
	// cache holds injected pods, all workloads that can be restarted, all PodDisruptionBudgets, and all nodes.
	cache cache.Cache
	// namespaces reads from the manager's cache.
	namespaces client.Reader
	writer     client.Writer
	// live reads from the API server.
	live client.Reader
	now  func() time.Time
	// thirdParty watches the kinds of other projects.
	thirdParty *kindWatches
	// times corrects what other clocks have written.
	times skewCorrector
	// callsUsed is when Calls was used last, in nanoseconds since 1970; 0 if nothing watches for it.
	callsUsed atomic.Int64
}

// New returns a Plane whose watches start with the manager.
func New(mgr manager.Manager, now func() time.Time) (*Plane, error) {
	injected, err := labels.NewRequirement(names.ProxyUUIDLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	own, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(), DefaultTransform: strip, NewInformer: newInformer,
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: labels.NewSelector().Add(*injected)}},
	})
	if err != nil {
		return nil, fmt.Errorf("the sidecars cannot be watched: %w", err)
	}
	// A client with the HTTP client of the manager has no time limit.
	kinds, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("the kinds of workloads cannot be discovered: %w", err)
	}
	p := &Plane{cache: own, namespaces: mgr.GetClient(), writer: mgr.GetClient(), live: mgr.GetAPIReader(), now: now}
	p.thirdParty = newKindWatches(own, kinds, p.meshOf, now)
	return p, mgr.Add(own)
}

// WaitForCacheSync waits until all watches have received their objects, or the context ends.
func (p *Plane) WaitForCacheSync(ctx context.Context) bool { return p.cache.WaitForCacheSync(ctx) }

// meshOf returns the mesh of a namespace. It is empty for a namespace without mesh and for an unknown one.
func (p *Plane) meshOf(ctx context.Context, namespace string) string {
	object := &corev1.Namespace{}
	if p.namespaces.Get(ctx, client.ObjectKey{Name: namespace}, object) != nil {
		return ""
	}
	if _, ignored := object.Labels[names.IgnoreLabel]; ignored {
		return ""
	}
	return object.Labels[names.MonitoredByLabel]
}

// Workloads returns the workloads with sidecars in the namespaces of a mesh, sorted. Sidecars that another mesh or an Open Service Mesh
// injected are included; the latter count under an empty revision. So are workloads that were restarted and have no pod at the moment.
func (p *Plane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	return p.workloads(ctx, mesh, func(member string, pod *corev1.Pod) bool { return member == mesh && hasSidecar(pod) })
}

// workloads returns the workloads of the matching pods. member is the mesh of the namespace of a pod.
func (p *Plane) workloads(ctx context.Context, mesh string, matches func(member string, pod *corev1.Pod) bool) ([]rollout.Workload, error) {
	if err := p.forgetCalls(ctx); err != nil {
		return nil, err
	}
	o := observation{states: map[rollout.Ref]state{}, unread: map[rollout.Ref]string{}, optedOut: map[string]bool{}, now: p.now()}
	pods, err := p.pods(ctx, matches)
	if err != nil {
		return nil, err
	}
	o.pods = pods
	for _, read := range []func(context.Context, *observation) error{
		p.readStates, func(ctx context.Context, o *observation) error { return p.readRestarted(ctx, mesh, o) }, p.readBudgets, p.readNamespaces, p.readNodes,
	} {
		if err := read(ctx, &o); err != nil {
			return nil, err
		}
	}
	return p.times.slots(o.workloads(), o.now), nil
}

// pods returns the matching pods of the cache with corrected times. They share memory with it and must not be changed.
func (p *Plane) pods(ctx context.Context, matches func(member string, pod *corev1.Pod) bool) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := p.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	members, now := p.members(ctx), p.now()
	// The list itself is a copy of its own, and large: it becomes the result.
	found := list.Items[:0]
	for i := range list.Items {
		if pod := &list.Items[i]; matches(members(pod.Namespace), pod) {
			found = append(found, *p.times.pod(pod, now))
		}
	}
	return found, nil
}

// members returns meshOf with a memory.
func (p *Plane) members(ctx context.Context) func(namespace string) string {
	known := map[string]string{}
	return func(namespace string) string {
		mesh, found := known[namespace]
		if !found {
			mesh = p.meshOf(ctx, namespace)
			known[namespace] = mesh
		}
		return mesh
	}
}

// readRestarted reads the workloads of a mesh that were restarted for one of its revisions. While such a workload replaces its only pod, no
// pod leads to it.
func (p *Plane) readRestarted(ctx context.Context, mesh string, o *observation) error {
	states, unread, err := p.restarted(ctx, func(revision string) bool { return desired.IsRevisionOf(mesh, revision) })
	if err != nil {
		return err
	}
	for kind, reason := range unread {
		o.unread[kind] = reason
		o.restarted = append(o.restarted, kind)
	}
	members := p.members(ctx)
	for ref, state := range states {
		if members(ref.Namespace) == mesh {
			o.states[ref] = state
			o.restarted = append(o.restarted, ref)
		}
	}
	return nil
}

// readStates reads the workloads of the observed pods.
func (p *Plane) readStates(ctx context.Context, o *observation) error {
	for i := range o.pods {
		ref := WorkloadOf(&o.pods[i])
		if _, known := o.states[ref]; known || !ref.Restartable() {
			continue
		}
		object, err := p.read(ctx, ref)
		var unread *unreadError
		switch {
		case err == nil:
			o.states[ref] = p.stateOf(object)
		case errors.As(err, &unread):
			o.unread[ref] = unread.Error()
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("%s cannot be read: %w", ref, err)
		}
	}
	return nil
}

// read reads the object of a workload with pods from the cache. The error is an *unreadError if the kind cannot be read at the moment.
func (p *Plane) read(ctx context.Context, ref rollout.Ref) (client.Object, error) {
	object := objectOf(ref)
	if kind, found := thirdPartyKind(ref); found {
		if err := p.thirdParty.ensure(ctx, kind, absencePeriod); err != nil {
			return nil, err
		}
	}
	return object, p.cache.Get(ctx, client.ObjectKeyFromObject(object), object)
}

// stateOf reads the object of a workload, with corrected times.
func (p *Plane) stateOf(object client.Object) state {
	s := stateOf(object)
	s.rolledOut = p.times.correct(object.GetUID(), "rollout", s.rolledOut, p.now())
	return s
}

func (p *Plane) readBudgets(ctx context.Context, o *observation) error {
	var list policyv1.PodDisruptionBudgetList
	if err := p.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("the PodDisruptionBudgets cannot be listed: %w", err)
	}
	o.budgets = list.Items
	return nil
}

func (p *Plane) readNamespaces(ctx context.Context, o *observation) error {
	var list corev1.NamespaceList
	if err := p.namespaces.List(ctx, &list, client.MatchingLabels{names.RestartLabel: restartDisabled}); err != nil {
		return fmt.Errorf("the namespaces cannot be listed: %w", err)
	}
	for i := range list.Items {
		o.optedOut[list.Items[i].Name] = true
	}
	return nil
}

// objectOf returns an empty object of a workload that can be restarted.
func objectOf(ref rollout.Ref) client.Object {
	if kind, found := thirdPartyKind(ref); found {
		return newUnstructured(kind, ref.Namespace, ref.Name)
	}
	var object client.Object
	switch ref.Kind {
	case "StatefulSet":
		object = &appsv1.StatefulSet{}
	case "DaemonSet":
		object = &appsv1.DaemonSet{}
	default:
		object = &appsv1.Deployment{}
	}
	object.SetNamespace(ref.Namespace)
	object.SetName(ref.Name)
	return object
}

// hasSidecar reports whether a pod has a sidecar, that of this operator or that of an Open Service Mesh. Labels are no evidence, because the
// author of a pod writes them.
func hasSidecar(pod *corev1.Pod) bool { return ingest.IsInjected(pod) || hasOSMSidecar(pod) }

// hasOSMSidecar reports whether a pod has the sidecar of an Open Service Mesh, which is among its containers.
func hasOSMSidecar(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
}

// hasLeft reports whether a pod kept the sidecar of a mesh after its namespace had left that mesh. member is the mesh of the namespace.
func hasLeft(mesh, member string, pod *corev1.Pod) bool {
	return member == "" && ingest.IsInjected(pod) && desired.IsRevisionOf(mesh, pod.Labels[names.RevisionLabel])
}

// revisionOf returns the revision of a pod's sidecar. It is empty for the sidecar of an Open Service Mesh.
func revisionOf(pod *corev1.Pod) string {
	if !ingest.IsInjected(pod) {
		return ""
	}
	return pod.Labels[names.RevisionLabel]
}
