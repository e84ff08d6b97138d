package egressgateway

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// Reconciler reads the Secrets of all Egresses of a mesh. All fields are required.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Reader
	// Secrets reads from the API server.
	Secrets client.Reader
	// Sink receives the contents.
	Sink feed.Sink
	// Mesh is the name of the mesh, and Namespace that of its control plane.
	Mesh, Namespace string
	Now             func() time.Time

	// credentials are those that Sink has received.
	credentials secrets.Entries
}

// Reconcile reads the Secrets. It must not run concurrently.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	names, err := r.names(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.credentials.Now, r.credentials.Receive = r.Now, r.Sink.Apply
	_, failed := r.credentials.Update(names, func(name entity.Name) (catalog.Entry, error) {
		data, problem, err := secrets.Read(ctx, r.Secrets, name, r.Namespace)
		if err != nil || problem != "" {
			return &catalog.EgressCredential{Name: name, Problem: problem}, err
		}
		return ingest.EgressCredential(name, data), nil
	})
	if failed != nil || len(names) == 0 {
		return ctrl.Result{}, failed
	}
	return ctrl.Result{RequeueAfter: r.credentials.Due()}, nil
}

// names returns the Secrets that Egresses of the mesh refer to, in the order of the Egresses.
func (r *Reconciler) names(ctx context.Context) ([]entity.Name, error) {
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces); err != nil {
		return nil, err
	}
	members := map[string]bool{}
	for i := range namespaces.Items {
		entry, _ := ingest.Namespace(&namespaces.Items[i], r.Mesh)
		members[entry.Name] = entry.Monitored
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kinds.Egress)
	if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var names []entity.Name
	for i := range list.Items {
		policy, _ := ingest.Egress(&list.Items[i])
		if policy == nil || !members[policy.Name.Namespace] {
			continue
		}
		if name, ok := policy.Credential(); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Setup adds the controller to mgr once the cluster defines Egresses.
func (r *Reconciler) Setup(mgr manager.Manager, definitions *traffic.Definitions) error {
	return definitions.Start(mgr, func() error { return r.add(mgr) }, kinds.Egress)
}

func (r *Reconciler) add(mgr manager.Manager) error {
	all := traffic.EnqueueOne()
	return ctrl.NewControllerManagedBy(mgr).Named("egress-credentials").WithOptions(backoff.Options(1)).
		Watches(&corev1.Namespace{}, all, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(kinds.Object(kinds.Egress), all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}
