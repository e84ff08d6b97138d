package status

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func TestEveryPolicyKindHasAStatus(t *testing.T) {
	rows := map[schema.GroupVersionKind]policyKind{}
	for _, k := range policyKinds() {
		rows[k.kind] = k
	}
	for _, kind := range kinds.All() {
		row, found := rows[kind.GroupVersionKind]
		if found != kind.IsPolicy() {
			t.Errorf("%s has a status: %v, want %v", kind.Kind, found, kind.IsPolicy())
		}
		if row.meshWide != kind.MeshWide {
			t.Errorf("objects of %s in the namespace of the mesh have a status: %v, want %v", kind.Kind, row.meshWide, kind.MeshWide)
		}
	}
}
