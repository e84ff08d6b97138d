package observability

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// patchMesh applies a JSON merge patch to the sample mesh.
func patchMesh(t *testing.T, patch string) {
	t.Helper()
	lab.Must(t, cluster.Patch(t.Context(), sampleMesh(), patch))
}

func sampleMesh() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
}

// awaitTracingPort waits until the sidecar of bookbuyer sends spans to a port.
func awaitTracingPort(t *testing.T, port int) {
	t.Helper()
	lab.Eventually(t, time.Minute, fmt.Sprintf("spans go to port %d", port), func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, "bookbuyer", "app", "bookbuyer")
		if err != nil {
			return false, "", err
		}
		clusters, err := cluster.Admin(ctx, pod.Namespace, pod.Name, "/clusters")
		if err != nil {
			return false, err.Error(), nil
		}
		for line := range strings.Lines(clusters) {
			if strings.HasPrefix(line, envoy.TracingCluster+"::") && strings.Contains(line, fmt.Sprintf(":%d::", port)) {
				return true, "", nil
			}
		}
		return false, "another port", nil
	})
}

// awaitEgress waits until the MeshConfig has a value of enableEgress.
func awaitEgress(t *testing.T, allowed bool) {
	t.Helper()
	lab.Eventually(t, time.Minute, fmt.Sprintf("the MeshConfig has enableEgress %t", allowed), func(ctx context.Context) (bool, string, error) {
		config := &configv1alpha2.MeshConfig{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.MeshConfig}, config)
		return err == nil && config.Spec.Traffic.EnableEgress == allowed, "", err
	})
}
