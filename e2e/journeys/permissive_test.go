package journeys

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// meshConfig returns a reference to the MeshConfig of the shared mesh.
func meshConfig() *configv1alpha2.MeshConfig {
	return &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: names.MeshConfig}}
}

// patchMeshConfig patches the MeshConfig, and reverts it after the test.
func patchMeshConfig(t *testing.T, patch, revert string) {
	t.Helper()
	lab.Must(t, cluster.Patch(t.Context(), meshConfig(), patch))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cluster.Patch(ctx, meshConfig(), revert); err != nil {
			t.Error(err)
		}
	})
}

func testPermissiveMode(t *testing.T) {
	s := sharedFixture(t)
	const (
		on  = `{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":true}}}`
		off = `{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":false}}}`
	)
	s.stranger.expect(t, s.server.url("/anything"), report.Reset)
	patchMeshConfig(t, on, off)
	s.stranger.expect(t, s.server.url("/anything"), "200")
	s.friend.expect(t, s.server.url("/admin"), "200")
	s.outsider.expect(t, s.server.url("/anything"), report.Reset)
	lab.Must(t, cluster.Patch(t.Context(), meshConfig(), off))
	s.stranger.expect(t, s.server.url("/anything"), report.Reset)
	s.friend.expect(t, s.server.url("/admin"), "403")
	s.friend.expect(t, s.server.url("/books"), "200")
}
