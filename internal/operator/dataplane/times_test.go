package dataplane

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// skewedMesh has a Deployment that was restarted and is ready again, and one that is outdated. The clock of the node of the restarted one differs from that
// of the operator. The Plane observes them at the time that the result points to.
func skewedMesh(t *testing.T, skew time.Duration) (*Plane, *time.Time) {
	t.Helper()
	var objects []client.Object
	for _, name := range []string{"a", "b"} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}}
		d.Status = appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
		revision := "osm-v0-1-0"
		p := pod(name+"-5c-x", revision, "ReplicaSet", name+"-5c", hash("5c"))
		p.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))
		if name == "a" {
			d.Spec.Template.Annotations = map[string]string{names.RestartAnnotation: formatRestart(rollout.Restart{Revision: "osm-v0-2-0", At: noon.Add(-10 * time.Second)})}
			p.Labels[names.RevisionLabel], p.CreationTimestamp = "osm-v0-2-0", metav1.NewTime(noon.Add(-10*time.Second))
			p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(skew))
		}
		started := metav1.NewTime(p.CreationTimestamp.Add(time.Second))
		if name == "a" {
			started = metav1.NewTime(started.Add(skew))
		}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: names.SidecarContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}}}
		objects = append(objects, d, &p)
	}
	plane, now := planeOf(append(objects, namespace("shop", "osm"))...), noon
	plane.now = func() time.Time { return now }
	return plane, &now
}

// A node whose clock is ahead must not hold up the waves and the soak until the operator's clock has caught up, and one whose clock is behind
// must not shorten the pause to nothing.
func TestClocksOfNodesDoNotDecide(t *testing.T) {
	for name, skew := range map[string]time.Duration{"right": 0, "ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			plane, now := skewedMesh(t, skew)
			observe := func(after time.Duration) (rollout.Wave, int) {
				*now = noon.Add(after)
				workloads, err := plane.Workloads(t.Context(), "osm")
				if err != nil {
					t.Fatal(err)
				}
				running := 0
				for _, w := range workloads {
					running += len(w.Running)
				}
				return rollout.NextWave(workloads, "osm-v0-2-0", rollout.Limits{MaxUnavailable: intstr.FromInt32(1), Pause: 30 * time.Second}, *now), running
			}
			if wave, _ := observe(0); len(wave.Restart) > 0 {
				t.Error("the namespace does not pause")
			}
			if _, running := observe(10 * time.Second); running != 2 {
				t.Errorf("after ten seconds %d sidecars should be connected, want 2", running)
			}
			if wave, _ := observe(31 * time.Second); len(wave.Restart) != 1 {
				t.Errorf("the pause has not ended: %+v", wave)
			}
		})
	}
}
