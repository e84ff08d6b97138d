package observability

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// steady is how long a number of replicas must not change.
const steady = 20 * time.Second

// TestAutoscaler runs a real metrics-server, so that the HorizontalPodAutoscaler of the controllers acts. The operator leaves the number of
// replicas to it, and sets the default again when the autoscaler is removed.
func TestAutoscaler(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "metrics-server"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "metrics-server", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "metrics-server", "up"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Patch(context.Background(), sampleMesh(), `{"spec":{"controlPlane":{"controller":null}}}`))
		lab.Must(t, cluster.MeshReady(context.Background(), names.DefaultMesh, installLimit))
	})
	// Controllers use more than one percent of their request even without changes.
	patchController(t, `{"autoscaling":{"minReplicas":2,"maxReplicas":3,"targetCPUUtilizationPercentage":1}}`)
	awaitControllers(t, 3)
	requireScaling(t)
	requireSteady(t, 3)
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, time.Minute))
	patchController(t, `{"autoscaling":null}`)
	lab.Eventually(t, time.Minute, "the autoscaler is deleted", func(ctx context.Context) (bool, string, error) {
		_, err := autoscaler(ctx)
		return apierrors.IsNotFound(err), "", client.IgnoreNotFound(err)
	})
	awaitControllers(t, 2)
}

func patchController(t *testing.T, spec string) {
	t.Helper()
	patchMesh(t, `{"spec":{"controlPlane":{"controller":`+spec+`}}}`)
}

func controllers(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	return d, cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.Controller}, d)
}

func autoscaler(ctx context.Context) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	h := &autoscalingv2.HorizontalPodAutoscaler{}
	return h, cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.Controller}, h)
}

func awaitControllers(t *testing.T, replicas int32) {
	t.Helper()
	lab.Eventually(t, 3*time.Minute, fmt.Sprintf("%d controllers are ready", replicas), func(ctx context.Context) (bool, string, error) {
		d, err := controllers(ctx)
		if err != nil {
			return false, "", err
		}
		observed := fmt.Sprintf("%d of %d", d.Status.ReadyReplicas, *d.Spec.Replicas)
		if h, err := autoscaler(ctx); err == nil {
			observed += fmt.Sprintf("; %+v", h.Status)
		}
		return *d.Spec.Replicas == replicas && d.Status.ReadyReplicas == replicas && d.Status.Replicas == replicas, observed, nil
	})
}

// requireScaling fails unless the autoscaler has metrics.
func requireScaling(t *testing.T) {
	t.Helper()
	h, err := autoscaler(t.Context())
	lab.Must(t, err)
	for _, c := range h.Status.Conditions {
		if c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionTrue {
			return
		}
	}
	t.Errorf("the autoscaler is not active: %+v", h.Status)
}

func requireSteady(t *testing.T, replicas int32) {
	t.Helper()
	for end := time.Now().Add(steady); time.Now().Before(end); time.Sleep(time.Second) {
		d, err := controllers(t.Context())
		lab.Must(t, err)
		if *d.Spec.Replicas != replicas {
			t.Fatalf("somebody set %d replicas, want %d", *d.Spec.Replicas, replicas)
		}
	}
}
