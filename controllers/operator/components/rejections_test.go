package components

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rejectIn makes the API server reject all objects in a namespace.
func rejectIn(t *testing.T, r *Reconciler, namespace string) {
	t.Helper()
	c := interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if named, ok := object.(interface{ GetNamespace() string }); ok && named.GetNamespace() == namespace {
				return errors.New("exceeded quota: no-roles")
			}
			return c.Apply(ctx, object, options...)
		},
	})
	r.Applier = apply.New(c, events.NewFakeRecorder(100))
}

// startPrometheus marks the server ready.
func startPrometheus(t *testing.T, r *Reconciler) {
	t.Helper()
	server := &appsv1.Deployment{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: prometheus.Name}, server); err != nil {
		t.Fatal(err)
	}
	server.Status = appsv1.DeploymentStatus{
		ObservedGeneration: server.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}},
	}
	if err := r.Client.Status().Update(t.Context(), server); err != nil {
		t.Fatal(err)
	}
}

// TestRejectingNamespaceStopsNoComponent has a namespace whose quota rejects the Role of Prometheus, while another one leaves the mesh. The server
// remains ready, the Role of the other namespace is deleted, and the status names what is refused.
func TestRejectingNamespaceStopsNoComponent(t *testing.T) {
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
	r.Components = []component.Component{prometheus.Managed{}}
	left := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "left", Labels: map[string]string{names.MonitoredByLabel: "osm"}}}
	if err := r.Client.Create(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	pass(t, r, mesh)
	startPrometheus(t, r)
	if got := pass(t, r, mesh)[0]; !got.Ready {
		t.Fatalf("the status is %+v before anything is refused, want ready", got)
	}
	full := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "full", Labels: map[string]string{names.MonitoredByLabel: "osm"}}}
	if err := r.Client.Create(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	rejectIn(t, r, "full")
	left.Labels = nil
	if err := r.Client.Update(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	pass(t, r, mesh)
	startPrometheus(t, r)
	statuses := pass(t, r, mesh)
	if got := statuses[0]; !got.Ready || got.Reason != v1alpha1.ReasonNamespacesRejected ||
		!strings.Contains(got.Message, "Role full/") || !strings.Contains(got.Message, "exceeded quota: no-roles") {
		t.Errorf("the status is %+v, want a ready component that names the namespace", got)
	}
	if exists(t, r, "rbac.authorization.k8s.io/v1", "Role", client.ObjectKey{Namespace: "left", Name: prometheus.Name}) {
		t.Error("a namespace that left the mesh keeps its Role")
	}
	requireCondition(t, readyCondition(statuses), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "prometheus: ", "full")
}
