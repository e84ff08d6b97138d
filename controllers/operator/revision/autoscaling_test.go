package revision

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Scaling up does not make a control plane unready. Outdated pods, or fewer than the minimum, do.
func TestAssessWithAutoscaler(t *testing.T) {
	for name, c := range map[string]struct {
		status appsv1.DeploymentStatus
		state  conditions.State
		want   string
	}{
		"all":                     {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 5, AvailableReplicas: 5}, conditions.Ready, "all pods are ready: osm-controller 5 of 5"},
		"scaling up":              {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 3, AvailableReplicas: 3}, conditions.Ready, "enough pods are ready while scaling up: osm-controller 3 of 5"},
		"scaling down":            {appsv1.DeploymentStatus{Replicas: 6, UpdatedReplicas: 6, ReadyReplicas: 5, AvailableReplicas: 5}, conditions.Ready, "all pods are ready: osm-controller 5 of 5"},
		"below the minimum":       {appsv1.DeploymentStatus{Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 2, AvailableReplicas: 2}, conditions.Progressing, "waiting for ready pods: osm-controller 2 of 5"},
		"an outdated pod remains": {appsv1.DeploymentStatus{Replicas: 6, UpdatedReplicas: 5, ReadyReplicas: 6, AvailableReplicas: 6}, conditions.Progressing, "waiting for ready pods: osm-controller 5 of 5"},
	} {
		t.Run(name, func(t *testing.T) {
			c.status.ObservedGeneration = 3
			w := newWorkload(c.status)
			w.deployment.Spec.Replicas = ptr.To[int32](5)
			w.autoscaling = &v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](3), MaxReplicas: 9}
			if got := assess(nil, []workload{w}, ""); got.State != c.state || got.Message != c.want {
				t.Errorf("assess = %+v, want %v: %s", got, c.state, c.want)
			}
		})
	}
}

// The cache may be stale, or the Deployment may ignore drift.
func TestAssessWaitsForADeploymentOfAnotherVersion(t *testing.T) {
	w := newWorkload(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2})
	w.deployment.Spec.Template.Labels = map[string]string{names.VersionLabel: "v1"}
	w.version = "v2"
	got := assess(nil, []workload{w}, "not updated because of …: Deployment osm-system/osm-controller")
	want := "waiting for ready pods: osm-controller 0 of 2 (still version v1); not updated because of …: Deployment osm-system/osm-controller"
	if got.State != conditions.Progressing || got.Message != want {
		t.Errorf("assess = %+v, want %s", got, want)
	}
}
