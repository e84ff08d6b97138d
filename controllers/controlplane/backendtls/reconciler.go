package backendtls

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Reconciler reconciles all BackendTLSPolicies of a mesh at once. All fields are required.
type Reconciler struct {
	// Client reads from the cache, and writes status.
	Client client.Client
	// ConfigMaps reads from the API server.
	ConfigMaps client.Reader
	// Leading reports whether this replica writes status.
	Leading func() bool
	// Sink receives the authorities.
	Sink feed.Sink
	// Rejected returns the rejections of a policy by sidecars. It returns false until they are known.
	Rejected func(kind, namespace, name string) ([]report.Rejection, bool)
	// RejectedPolicies returns a channel of the policies of a kind whose rejections changed, which the caller reads from then on.
	RejectedPolicies func(schema.GroupVersionKind) <-chan event.GenericEvent
	// Mesh is the name of the mesh, and Namespace that of its control plane.
	Mesh, Namespace string
	Now             func() time.Time

	// authorities are those that Sink has received.
	authorities secrets.Entries
	// excess are those that were beyond the limit of their namespace.
	excess map[entity.Name]*catalog.BackendAuthorities
}

// Reconcile reads the ConfigMaps and writes changed status. It must not run concurrently.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	mesh, policies, err := r.read(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	current, failed := r.updateAuthorities(ctx, mesh.View())
	mesh.Apply(current)
	if r.Leading() {
		if _, known := r.Rejected(kinds.BackendTLSPolicy.Kind, "", ""); !known {
			return ctrl.Result{RequeueAfter: time.Second}, failed
		}
		failed = errors.Join(failed, r.writeStatus(ctx, mesh.View(), policies))
	}
	if failed != nil || len(policies) == 0 {
		return ctrl.Result{}, failed
	}
	return ctrl.Result{RequeueAfter: r.authorities.Due()}, nil
}

// read returns what decides about the policies, and their objects.
func (r *Reconciler) read(ctx context.Context) (*catalog.Catalog, []unstructured.Unstructured, error) {
	mesh := catalog.New()
	_, egresses := list(ctx, r.Client, kinds.Egress, mesh, ingest.Egress)
	_, servers := list(ctx, r.Client, kinds.ExtensionService, mesh, ingest.ExtensionService)
	_, limits := list(ctx, r.Client, kinds.UpstreamTrafficSetting, mesh, upstream.Read)
	policies, unread := list(ctx, r.Client, kinds.BackendTLSPolicy, mesh, ingest.BackendTLSPolicy)
	if err := errors.Join(r.readSettings(ctx, mesh), r.readNamespaces(ctx, mesh), egresses, servers, limits, unread); err != nil {
		return nil, nil, err
	}
	return mesh, policies, r.readServices(ctx, mesh)
}

// readSettings reads the MeshConfig, which names servers of the mesh.
func (r *Reconciler) readSettings(ctx context.Context, mesh *catalog.Catalog) error {
	settings, config := &catalog.Settings{Namespace: r.Namespace}, &configv1alpha2.MeshConfig{}
	switch err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: names.MeshConfig}, config); {
	case err == nil:
		settings, _ = ingest.MeshConfig(config)
	case !apierrors.IsNotFound(err):
		return err
	}
	mesh.Apply([]catalog.Change{catalog.Set(settings)})
	return nil
}

// readServices reads the Services of policies that are servers of the mesh. They have the names of ports.
func (r *Reconciler) readServices(ctx context.Context, mesh *catalog.Catalog) error {
	v := mesh.View()
	var services []catalog.Change
	for _, policy := range v.BackendTLSPolicies() {
		for _, target := range policy.Targets {
			name := entity.Name{Namespace: policy.Name.Namespace, Name: target.Name}
			if !target.IsService() || len(v.ServersAt(name)) == 0 {
				continue
			}
			service := &corev1.Service{}
			if err := r.Client.Get(ctx, client.ObjectKey(name), service); client.IgnoreNotFound(err) != nil {
				return err
			} else if err != nil {
				continue
			}
			if entry, _ := ingest.Service(service); entry != nil {
				services = append(services, catalog.Set(entry))
			}
		}
	}
	mesh.Apply(services)
	return nil
}

func (r *Reconciler) readNamespaces(ctx context.Context, mesh *catalog.Catalog) error {
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces); err != nil {
		return err
	}
	for i := range namespaces.Items {
		entry, _ := ingest.Namespace(&namespaces.Items[i], r.Mesh)
		mesh.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return nil
}

// list adds the entries of a kind to the mesh, and returns the objects.
func list[E interface {
	comparable
	catalog.Entry
}](ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, mesh *catalog.Catalog, read func(*unstructured.Unstructured) (E,
	[]ingest.Problem),
) ([]unstructured.Unstructured, error) {
	objects := &unstructured.UnstructuredList{}
	objects.SetGroupVersionKind(kind)
	if err := reader.List(ctx, objects, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var none E
	for i := range objects.Items {
		if entry, _ := read(&objects.Items[i]); entry != none {
			mesh.Apply([]catalog.Change{catalog.Set(entry)})
		}
	}
	return objects.Items, nil
}

// Setup adds the controller to mgr once the cluster defines its kinds.
func (r *Reconciler) Setup(mgr manager.Manager, definitions *traffic.Definitions) error {
	return definitions.Start(mgr, func() error { return r.add(mgr) }, kinds.Egress, kinds.ExtensionService, kinds.UpstreamTrafficSetting,
		kinds.BackendTLSPolicy)
}

func (r *Reconciler) add(mgr manager.Manager) error {
	all := traffic.EnqueueOne()
	specs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).Named("backend-tls").WithOptions(backoff.Options(1)).
		Watches(&corev1.Namespace{}, all, builder.WithPredicates(predicate.Or[client.Object](predicate.LabelChangedPredicate{},
			predicate.AnnotationChangedPredicate{}))).
		Watches(kinds.Object(kinds.Egress), all, specs).
		Watches(&configv1alpha2.MeshConfig{}, all, specs).
		Watches(kinds.Object(kinds.ExtensionService), all, specs).
		Watches(kinds.Object(kinds.UpstreamTrafficSetting), all, specs).
		Watches(kinds.Object(kinds.BackendTLSPolicy), all, specs).
		WatchesRawSource(source.Channel(r.RejectedPolicies(kinds.BackendTLSPolicy), all)).
		Complete(r)
}

// updateAuthorities sends the authorities to the control plane, and returns them. It removes those that no policy uses any more. A ConfigMap that cannot
// be read now keeps its last content. An unusable one is an entry with a problem.
func (r *Reconciler) updateAuthorities(ctx context.Context, v *catalog.View) ([]catalog.Change, error) {
	names, excess := gateway.ServerAuthorities(v)
	for _, name := range names {
		if (excess[name] == nil) != (r.excess[name] == nil) {
			r.authorities.Forget(name)
		}
	}
	r.excess = excess
	r.authorities.Now, r.authorities.Receive = r.Now, r.Sink.Apply
	return r.authorities.Update(names, func(name entity.Name) (catalog.Entry, error) {
		if tooMany := excess[name]; tooMany != nil {
			return tooMany, nil
		}
		data, problem, err := secrets.ReadConfigMap(ctx, r.ConfigMaps, name, r.Namespace)
		if err != nil || problem != "" {
			return &catalog.BackendAuthorities{Name: name, Problem: problem}, err
		}
		return ingest.BackendAuthorities(name, data), nil
	})
}
