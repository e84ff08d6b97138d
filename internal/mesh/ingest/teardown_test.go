package ingest_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Only the exact values of the operator have an effect.
func TestMeshConfigTeardownAnnotation(t *testing.T) {
	for value, want := range map[string]catalog.Teardown{
		"": 0, "open": catalog.TeardownOpen, "transparent": catalog.TeardownPassthrough, "Open": 0, "true": 0, "open,transparent": 0,
	} {
		settings, problems := ingest.MeshConfig(&configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{names.TeardownAnnotation: value}}})
		if settings.Teardown != want {
			t.Errorf("%q is read as %d, want %d (%v)", value, settings.Teardown, want, problems)
		}
	}
}
