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

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Plane observes and restarts the workloads of all meshes of a cluster.
type Plane struct {
	// cache holds injected pods, all workloads that can be restarted, and all PodDisruptionBudgets.
	cache cache.Cache
	// namespaces reads from the manager's cache.
	namespaces client.Reader
	writer     client.Writer
	// live reads from the API server.
	live client.Reader
	now  func() time.Time
}

// New returns a Plane whose watches start with the manager.
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

// Workloads returns the workloads with sidecars of a mesh, sorted. In the namespaces of the mesh that includes sidecars that another
// mesh or an Open Service Mesh injected. The latter count under an empty revision.
func (p *Plane) Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error) {
	o := observation{states: map[rollout.Ref]state{}, optedOut: map[string]bool{}, now: p.now()}
	var pods corev1.PodList
	if err := p.cache.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	meshes := map[string]string{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		member, known := meshes[pod.Namespace]
		if !known {
			member = p.meshOf(ctx, pod.Namespace)
			meshes[pod.Namespace] = member
		}
		if belongsTo(mesh, member, pod) {
			o.pods = append(o.pods, *pod)
		}
	}
	if len(o.pods) == 0 {
		return nil, nil
	}
	for _, read := range []func(context.Context, *observation) error{p.readStates, p.readBudgets, p.readNamespaces} {
		if err := read(ctx, &o); err != nil {
			return nil, err
		}
	}
	return o.workloads(), nil
}

// readStates reads the workloads of the observed pods.
func (p *Plane) readStates(ctx context.Context, o *observation) error {
	for i := range o.pods {
		ref := WorkloadOf(&o.pods[i])
		if _, known := o.states[ref]; known || !ref.Restartable() {
			continue
		}
		object := objectOf(ref)
		err := p.cache.Get(ctx, client.ObjectKeyFromObject(object), object)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("%s cannot be read: %w", ref, err)
		}
		if err == nil {
			o.states[ref] = stateOf(object)
		}
	}
	return nil
}

func (p *Plane) readBudgets(ctx context.Context, o *observation) error {
	var list policyv1.PodDisruptionBudgetList
	if err := p.cache.List(ctx, &list); err != nil {
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
