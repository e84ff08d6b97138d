package revision

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// An autoscaler that asks for more pods does not make a control plane ill; pods of another version, or too few, do.
func TestReadyUnderAnAutoscaler(t *testing.T) {
	for name, c := range map[string]struct {
		status appsv1.DeploymentStatus
		state  condition.State
		says   string
	}{
		"all":                  {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 5, AvailableReplicas: 5}, condition.Ready, "all pods are ready: osm-controller 5 of 5"},
		"more are coming":      {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 3, AvailableReplicas: 3}, condition.Ready, "enough pods are ready, and more are coming: osm-controller 3 of 5"},
		"fewer than there are": {appsv1.DeploymentStatus{Replicas: 6, UpdatedReplicas: 6, ReadyReplicas: 5, AvailableReplicas: 5}, condition.Ready, "all pods are ready: osm-controller 5 of 5"},
		"below the minimum":    {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 2, AvailableReplicas: 2}, condition.Working, "waiting for ready pods: osm-controller 2 of 5"},
		"an old one is left":   {appsv1.DeploymentStatus{Replicas: 6, UpdatedReplicas: 5, ReadyReplicas: 6, AvailableReplicas: 6}, condition.Working, "waiting for ready pods: osm-controller 5 of 5"},
	} {
		t.Run(name, func(t *testing.T) {
			c.status.ObservedGeneration = 3
			w := deployed(c.status)
			w.deployment.Spec.Replicas = ptr.To[int32](5)
			w.autoscaling = &v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](3), MaxReplicas: 9}
			if got := judge(nil, []workload{w}, ""); got.State != c.state || got.Message != c.says {
				t.Errorf("judge = %+v, want %v: %s", got, c.state, c.says)
			}
		})
	}
}

// What the cache has of the version before, or what a user keeps the operator from changing, is not the revision's.
func TestADeploymentOfAnotherVersionIsNotReady(t *testing.T) {
	w := deployed(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2})
	w.deployment.Spec.Template.Labels = map[string]string{names.VersionLabel: "v1"}
	w.version = "v2"
	got := judge(nil, []workload{w}, "left alone because of …: Deployment osm-system/osm-controller")
	want := "waiting for ready pods: osm-controller 0 of 2 (still of version v1); left alone because of …: Deployment osm-system/osm-controller"
	if got.State != condition.Working || got.Message != want {
		t.Errorf("judge = %+v, want %s", got, want)
	}
}
