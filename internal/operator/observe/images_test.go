package observe

import (
	"testing"
	"testing/fstest"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// An update of the operator must not move a mesh that stays at its version to the registry of the recorded images.
func TestMeshKeepsItsImagesWhenTheOperatorIsUpdated(t *testing.T) {
	mirrored := v1alpha1.RevisionImages{
		Controller: "registry.example.com/osm/openservicemesh/osm-controller:v0.3.0", Injector: "registry.example.com/osm/openservicemesh/osm-injector:v0.3.0",
		Init: "registry.example.com/osm/openservicemesh/init:v0.3.0", Sidecar: "registry.example.com/osm/openservicemesh/envoy:v0.3.0",
	}
	recorded := operand.Images{
		Controller: "docker.io/openservicemesh/osm-controller:v0.3.0@sha256:1", Injector: "docker.io/openservicemesh/osm-injector:v0.3.0@sha256:2",
		Init: "docker.io/openservicemesh/init:v0.3.0@sha256:3", Sidecar: "docker.io/openservicemesh/envoy:v0.3.0@sha256:4",
	}
	for name, c := range map[string]struct {
		operator string
		current  *v1alpha1.MeshRevision
		want     string
	}{
		"the operator is newer":             {"v0.4.0", &v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Images: mirrored}}, mirrored.Controller},
		"a new revision":                    {"v0.4.0", nil, recorded.Controller},
		"the operator has the same version": {"v0.3.0", &v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Images: mirrored}}, recorded.Controller},
		"the revision has a replaced image": {"v0.4.0", &v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{
			Images: v1alpha1.RevisionImages{Controller: "registry.example.com/my-controller:1"},
		}}, recorded.Controller},
	} {
		catalogue, err := operand.OpenCatalogue(fstest.MapFS{}, c.operator, operand.Images{})
		if err != nil {
			t.Fatal(err)
		}
		var revisions []v1alpha1.MeshRevision
		if c.current != nil {
			c.current.Spec.Version = "v0.3.0"
			revisions = append(revisions, *c.current)
		}
		cluster := &Cluster{Catalogue: catalogue}
		if got := cluster.imagesOf(&operand.Release{Version: "v0.3.0", Images: recorded}, revisions).Controller; got != c.want {
			t.Errorf("%s: the controller is %s, want %s", name, got, c.want)
		}
	}
}
