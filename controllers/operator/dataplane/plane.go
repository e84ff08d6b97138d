package dataplane

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Plane observes the sidecars of all meshes of a cluster.
type Plane struct {
	// cache holds pods with sidecars, all workloads that can be restarted, and all disruption budgets.
	cache cache.Cache
	// namespaces reads namespaces from the manager's cache.
	namespaces client.Reader
	writer     client.Writer
}

// New makes a Plane whose watches start with the manager.
func New(mgr manager.Manager) (*Plane, error) {
	injected, err := labels.NewRequirement(names.RevisionLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	own, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(), DefaultTransform: strip,
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: labels.NewSelector().Add(*injected)}},
	})
	if err != nil {
		return nil, fmt.Errorf("the sidecars cannot be watched: %w", err)
	}
	return &Plane{own, mgr.GetClient(), mgr.GetClient()}, mgr.Add(own)
}

// Sources are the watches that tell of what changes, as requests for the mesh concerned. A workload does not tell which mesh its
// pods are in; they change with it, so only pods are listened to, and budgets not at all: they are looked at when a wave is chosen.
func (p *Plane) Sources() []source.Source {
	return []source.Source{source.Kind(p.cache, &corev1.Pod{}, handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, pod *corev1.Pod) []reconcile.Request {
		mesh, ok := desired.MeshOf(pod.Labels[names.RevisionLabel])
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: mesh}}}
	}))}
}

// Workloads are all that carry sidecars of a mesh, sorted.
func (p *Plane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	s := seen{states: map[rollout.Ref]state{}, optedOut: map[string]bool{}}
	var pods corev1.PodList
	if err := p.cache.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	for i := range pods.Items {
		if desired.IsRevisionOf(mesh, pods.Items[i].Labels[names.RevisionLabel]) {
			s.pods = append(s.pods, pods.Items[i])
		}
	}
	if len(s.pods) == 0 {
		return nil, nil
	}
	for _, read := range []func(context.Context, *seen) error{p.readStates, p.readBudgets, p.readNamespaces} {
		if err := read(ctx, &s); err != nil {
			return nil, err
		}
	}
	return s.workloads(), nil
}

// readStates reads the workloads of the pods.
func (p *Plane) readStates(ctx context.Context, s *seen) error {
	for i := range s.pods {
		ref := ownerOf(&s.pods[i])
		if _, known := s.states[ref]; known || !ref.Restartable() {
			continue
		}
		object := objectOf(ref)
		err := p.cache.Get(ctx, client.ObjectKeyFromObject(object), object)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("%s cannot be read: %w", ref, err)
		}
		if err == nil {
			s.states[ref] = stateOf(object, names.RestartAnnotation)
		}
	}
	return nil
}

func (p *Plane) readBudgets(ctx context.Context, s *seen) error {
	var list policyv1.PodDisruptionBudgetList
	if err := p.cache.List(ctx, &list); err != nil {
		return fmt.Errorf("the PodDisruptionBudgets cannot be listed: %w", err)
	}
	s.budgets = list.Items
	return nil
}

func (p *Plane) readNamespaces(ctx context.Context, s *seen) error {
	var list corev1.NamespaceList
	if err := p.namespaces.List(ctx, &list, client.MatchingLabels{names.RestartLabel: disabled}); err != nil {
		return fmt.Errorf("the namespaces cannot be listed: %w", err)
	}
	for i := range list.Items {
		s.optedOut[list.Items[i].Name] = true
	}
	return nil
}

// objectOf is an empty object of a workload that can be restarted.
func objectOf(ref rollout.Ref) client.Object {
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

// Restart makes a workload replace its pods, whose new sidecars shall be of a revision. It fails with a conflict when the workload
// is not what was observed any more: then somebody looks again.
func (p *Plane) Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error {
	object := objectOf(ref)
	if err := p.cache.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return fmt.Errorf("%s cannot be restarted: %w", ref, err)
	}
	annotation := formatRestart(rollout.Restart{Revision: revision, At: at})
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`,
		object.GetResourceVersion(), names.RestartAnnotation, annotation)
	if err := p.writer.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("%s cannot be restarted: %w", ref, err)
	}
	return nil
}
