package ingest_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// A word that is not exactly one of the operator's opens nothing.
func TestMeshConfigOfAMeshThatLeaves(t *testing.T) {
	for word, want := range map[string]catalog.Leaving{
		"": 0, "open": catalog.LeavingOpen, "transparent": catalog.LeavingTransparent, "Open": 0, "true": 0, "open,transparent": 0,
	} {
		settings, problems := ingest.MeshConfig(&configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{names.LeavingAnnotation: word}}})
		if settings.Leaving != want {
			t.Errorf("%q is read as %d, want %d (%v)", word, settings.Leaving, want, problems)
		}
	}
}
