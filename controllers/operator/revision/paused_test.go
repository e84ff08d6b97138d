package revision

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// readyRevision returns an active revision that was ready.
func readyRevision(reason string) *v1alpha1.MeshRevision {
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-4-0", Generation: 2}}
	revision.Spec.Mesh, revision.Spec.Version, revision.Spec.Namespace, revision.Spec.Role = "osm", "v0.4.0", "osm-system", v1alpha1.RoleActive
	since := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	revision.Status = v1alpha1.MeshRevisionStatus{ObservedGeneration: 2, Role: v1alpha1.RoleActive, RoleStartTime: &since, Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: 2, LastTransitionTime: since},
	}}
	return revision
}

// A paused mesh whose controllers crash must not say that it is ready.
func TestStatusIsObservedWhileNothingIsApplied(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, clientgoscheme.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.MeshSpec)
		reason string
		ready  int32
		want   metav1.ConditionStatus
	}{
		"paused, no pod is ready":         {func(s *v1alpha1.MeshSpec) { s.Paused = ptr.To(true) }, v1alpha1.ReasonReplicasReady, 0, metav1.ConditionUnknown},
		"paused, all pods are ready":      {func(s *v1alpha1.MeshSpec) { s.Paused = ptr.To(true) }, v1alpha1.ReasonReplicasReady, 1, metav1.ConditionTrue},
		"planned, no pod is ready":        {func(s *v1alpha1.MeshSpec) { s.Mode = ptr.To(v1alpha1.ModePlan) }, v1alpha1.ReasonReplicasReady, 0, metav1.ConditionUnknown},
		"paused, it could not be applied": {func(s *v1alpha1.MeshSpec) { s.Paused = ptr.To(true) }, v1alpha1.ReasonApplyFailed, 0, metav1.ConditionTrue},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
			c.change(&mesh.Spec)
			revision := readyRevision(c.reason)
			objects := []client.Object{mesh, revision}
			for _, name := range []string{names.Controller, names.Injector} {
				deployment := &appsv1.Deployment{
					ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name},
					Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)},
					Status:     appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: c.ready, AvailableReplicas: c.ready},
				}
				deployment.Spec.Template.Labels = map[string]string{names.VersionLabel: "v0.4.0"}
				objects = append(objects, deployment)
			}
			cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(revision).Build()
			r := &Reconciler{Cluster: &observe.Cluster{Client: cluster, Now: time.Now}}
			if _, err := reconcile.AsReconciler(cluster, r).Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(revision)}); err != nil {
				t.Fatal(err)
			}
			after := &v1alpha1.MeshRevision{}
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(revision), after); err != nil {
				t.Fatal(err)
			}
			if ready := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady); ready.Status != c.want {
				t.Errorf("Ready is %s: %s, want %s", ready.Status, ready.Message, c.want)
			}
			if len(after.Finalizers) > 0 {
				t.Error("the revision was changed")
			}
		})
	}
}
