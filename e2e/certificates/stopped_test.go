package certificates

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// stoppable is the name of the pod whose sidecar can be stopped.
const stoppable = "stoppable"

// allowSignals lets the agent of a pod send signals to the sidecar, which runs as another user.
func allowSignals(pod *corev1.Pod) {
	pod.Spec.ShareProcessNamespace = ptr.To(true)
	context := pod.Spec.Containers[0].SecurityContext
	context.RunAsUser, context.RunAsNonRoot = ptr.To[int64](0), ptr.To(false)
	context.Capabilities.Add = []corev1.Capability{"KILL"}
}

// stopSidecar stops the sidecar of one pod, which therefore acknowledges nothing.
func (s shop) stopSidecar(t *testing.T) {
	t.Helper()
	lab.Must(t, s.stoppable.Signal(t.Context(), "envoy", "STOP"))
}

// requireHeld waits until the rotation waits for the stopped sidecar and for nothing else, and lets the sidecar continue.
func (s shop) requireHeld(t *testing.T) {
	t.Helper()
	pod := s.inside + "/" + stoppable
	lab.Eventually(t, rotationLimit, "the rotation waits for the sidecar of "+pod, func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
			return false, "", err
		}
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
		if c == nil || c.Reason != v1alpha1.ReasonWaitingForTrust {
			t.Fatalf("the rotation did not wait for the stopped sidecar: %+v", c)
		}
		_, waiting, _ := strings.Cut(c.Message, "waits: ")
		return strings.HasPrefix(waiting, "the sidecar of "+pod) && !strings.Contains(waiting, ";"), c.Message, nil
	})
	t.Logf("%s: the sidecar of %s holds the rotation and continues now", time.Now().UTC().Format(time.TimeOnly), pod)
	lab.Must(t, s.stoppable.Signal(t.Context(), "envoy", "CONT"))
}
