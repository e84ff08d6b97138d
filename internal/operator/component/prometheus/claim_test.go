package prometheus_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
)

// TestClaimWithoutVolumeIsNamed has a server whose pod cannot start, because the StorageClass of its claim does not exist.
func TestClaimWithoutVolumeIsNamed(t *testing.T) {
	deployment := func(available int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"namespace": "osm-system", "name": "osm-prometheus"},
			"status": map[string]any{"availableReplicas": available},
		}}
	}
	claim := func(phase string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"namespace": "osm-system", "name": "osm-prometheus"},
			"spec": map[string]any{"storageClassName": "fast"}, "status": map[string]any{"phase": phase},
		}}
	}
	const text = "the PersistentVolumeClaim osm-system/osm-prometheus with the StorageClass fast has no volume"
	for name, test := range map[string]struct {
		live  []*unstructured.Unstructured
		named bool
	}{
		"pending":             {[]*unstructured.Unstructured{claim("Pending"), deployment(0)}, true},
		"bound":               {[]*unstructured.Unstructured{claim("Bound"), deployment(0)}, false},
		"without a claim":     {[]*unstructured.Unstructured{deployment(0)}, false},
		"a pod that is ready": {[]*unstructured.Unstructured{claim("Pending"), deployment(1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (prometheus.Managed{}).Health(test.live); strings.Contains(got.Message, text) != test.named {
				t.Errorf("health %+v, want the claim in it: %t", got, test.named)
			}
		})
	}
}
