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
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
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
	// live reads from the API server, for pods that are not watched.
	live client.Reader
	now  func() time.Time
}

// New makes a Plane whose watches start with the manager.
func New(mgr manager.Manager, now func() time.Time) (*Plane, error) {
	injected, err := labels.NewRequirement(names.ProxyUUIDLabel, selection.Exists, nil)
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
	return &Plane{own, mgr.GetClient(), mgr.GetClient(), mgr.GetAPIReader(), now}, mgr.Add(own)
}

// member is the mesh that a namespace is part of; empty when it is part of none, or not known.
func (p *Plane) member(ctx context.Context, namespace string) string {
	object := &corev1.Namespace{}
	if p.namespaces.Get(ctx, client.ObjectKey{Name: namespace}, object) != nil {
		return ""
	}
	return meshOf(object)
}

// meshOf is the mesh that a namespace is part of.
func meshOf(namespace *corev1.Namespace) string {
	if _, ignored := namespace.Labels[names.IgnoreLabel]; ignored {
		return ""
	}
	return namespace.Labels[names.MonitoredByLabel]
}

// Workloads are all that carry sidecars of a mesh, sorted, and those in its namespaces whose sidecars somebody else has made: another
// mesh, of which the namespace was a part before, or an Open Service Mesh. Sidecars of the latter count under an empty revision.
func (p *Plane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	s := seen{states: map[rollout.Ref]state{}, optedOut: map[string]bool{}, now: p.now()}
	var pods corev1.PodList
	if err := p.cache.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	members := map[string]string{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		member, known := members[pod.Namespace]
		if !known {
			member = p.member(ctx, pod.Namespace)
			members[pod.Namespace] = member
		}
		if concerns(mesh, member, pod) {
			s.pods = append(s.pods, *pod)
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
// is not what was observed any more: then somebody looks again. A second restart for one revision is written down as such.
func (p *Plane) Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error {
	object := objectOf(ref)
	if err := p.cache.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return fmt.Errorf("%s cannot be restarted: %w", ref, err)
	}
	earlier := parseRestart(stateOf(object, names.RestartAnnotation).restart)
	annotation := formatRestart(rollout.Restart{Revision: revision, At: at, Again: earlier.Revision == revision})
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`,
		object.GetResourceVersion(), names.RestartAnnotation, annotation)
	if err := p.writer.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("%s cannot be restarted: %w", ref, err)
	}
	return nil
}
