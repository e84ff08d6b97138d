package journeys

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// meshConfig names the MeshConfig of the mesh that all tests share.
func meshConfig() *configv1alpha2.MeshConfig {
	return &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: names.MeshConfig}}
}

// configure patches the MeshConfig, and puts it back after the test.
func configure(t *testing.T, patch, back string) {
	t.Helper()
	must(t, cluster.Patch(t.Context(), meshConfig(), patch))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cluster.Patch(ctx, meshConfig(), back); err != nil {
			t.Error(err)
		}
	})
}

func permissiveMode(t *testing.T) {
	s := theStage(t)
	const (
		on  = `{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":true}}}`
		off = `{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":false}}}`
	)
	s.stranger.gets(t, s.server.url("/anything"), report.Refused)
	configure(t, on, off)
	s.stranger.gets(t, s.server.url("/anything"), "200")
	s.friend.gets(t, s.server.url("/admin"), "200")
	s.outsider.gets(t, s.server.url("/anything"), report.Reset)
	must(t, cluster.Patch(t.Context(), meshConfig(), off))
	s.stranger.gets(t, s.server.url("/anything"), report.Refused)
	s.friend.gets(t, s.server.url("/admin"), "403")
	s.friend.gets(t, s.server.url("/books"), "200")
}
