package feed

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestOtherMeshConfigsLeaveTheSettings adds, changes and deletes a MeshConfig that is not that of the mesh, for example a copy of it.
func TestOtherMeshConfigsLeaveTheSettings(t *testing.T) {
	var got changes
	feed := New(Config{Sink: &got, Log: logr.Discard(), Now: time.Now})
	source := kinds.MeshConfig(func(*configv1alpha2.MeshConfig) {})
	guard := newDeletionGuard(nil, func(ref entity.Ref) { got.Apply([]catalog.Change{{Ref: ref}}) }, logr.Discard())
	named := func(name string) *configv1alpha2.MeshConfig {
		return &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name}}
	}
	feed.set(source, guard, named(names.MeshConfig))
	feed.set(source, guard, named("backup"))
	feed.set(source, guard, named("backup"))
	feed.remove(t.Context(), source, guard, named("backup"))
	mesh := catalog.New()
	mesh.Apply(got)
	if len(mesh.Entries(entity.KindSettings)) == 0 {
		t.Errorf("the mesh has no settings after the changes %+v", got)
	}
	if ref := guard.known[types.NamespacedName{Namespace: "osm-system", Name: names.MeshConfig}]; ref != (entity.Ref{Kind: entity.KindSettings}) {
		t.Errorf("the MeshConfig of the mesh is %+v", ref)
	}
}
