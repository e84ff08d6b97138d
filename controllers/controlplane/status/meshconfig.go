package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var meshConfigKind = configv1alpha2.GroupVersion.WithKind("MeshConfig")

// MeshConfigReconciler writes the condition ServiceAnswers of the MeshConfig. The operator writes its other conditions.
type MeshConfigReconciler struct {
	Client     client.Client
	Leader     *Leader
	Rejections *Rejections
	// Namespace is the namespace of the MeshConfig.
	Namespace  string
	LookupHost HostLookup
}

// addMeshConfig adds the controller of the MeshConfig.
func (w Writers) addMeshConfig(mgr manager.Manager) error {
	r := &MeshConfigReconciler{Client: mgr.GetClient(), Leader: w.Leader, Rejections: w.Rejections, Namespace: w.Namespace, LookupHost: w.LookupHost}
	acquired, resync := make(chan struct{}, 1), make(chan event.GenericEvent)
	w.Leader.Notify(acquired)
	only := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Namespace: w.Namespace, Name: names.MeshConfig}}}
	})
	err := ctrl.NewControllerManagedBy(mgr).Named("status-MeshConfig").WithOptions(backoff.Options(1)).For(&configv1alpha2.MeshConfig{}).
		WatchesRawSource(source.Channel(resync, only)).
		WatchesRawSource(source.Channel(w.Rejections.servers.watch(meshConfigKind), only)).
		Complete(r)
	if err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return forward(ctx, acquired, resync) }))
}

// Reconcile writes the condition if it has changed. A replica without the Lease writes nothing.
func (r *MeshConfigReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Leader.Leading() || request.Namespace != r.Namespace || request.Name != names.MeshConfig {
		return ctrl.Result{}, nil
	}
	if !r.Rejections.isKnown() {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	config := &configv1alpha2.MeshConfig{}
	if err := r.Client.Get(ctx, request.NamespacedName, config); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	settings, _ := ingest.MeshConfig(config)
	server := settings.ExternalAuthorization
	if server == nil || server.Address == "" {
		if meta.FindStatusCondition(config.Status.Conditions, kinds.ConditionServiceAnswers) == nil {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, r.apply(ctx, map[string]any{})
	}
	c := answersCondition(ctx, []decisionServer{configuredServer(server)}, &r.Rejections.servers, r.LookupHost, config.Status.Conditions)
	c.ObservedGeneration = config.Generation
	conditions := append([]metav1.Condition(nil), config.Status.Conditions...)
	meta.SetStatusCondition(&conditions, c)
	if equality.Semantic.DeepEqual(conditions, config.Status.Conditions) {
		return ctrl.Result{RequeueAfter: lookupInterval}, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(meta.FindStatusCondition(conditions, kinds.ConditionServiceAnswers))
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: lookupInterval}, r.apply(ctx, map[string]any{"conditions": []any{content}})
}

// configuredServer is the authorization server of the MeshConfig.
func configuredServer(server *catalog.ExternalAuthorization) decisionServer {
	return decisionServer{
		cluster: envoy.ConfiguredAuthorizationCluster, kind: "authorization server", host: server.Address, port: server.Port, timeout: server.Timeout,
		effect: authorizationEffect(server.FailureModeAllow),
	}
}

// apply replaces the part of the status that belongs to the control plane.
func (r *MeshConfigReconciler) apply(ctx context.Context, status map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	object.SetGroupVersionKind(meshConfigKind)
	object.SetNamespace(r.Namespace)
	object.SetName(names.MeshConfig)
	err := r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(names.Controller), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of the MeshConfig: %w", err)
	}
	return nil
}
