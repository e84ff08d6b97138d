package observe

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestRevisionOfService(t *testing.T) {
	for service, want := range map[string]string{
		"osm-controller-v0-2-0": "osm-v0-2-0", "osm-controller": "", "osm-controller-report": "", "osm-controller-report-v0-2-0": "",
		"osm-controller-metrics": "", "osm-injector-v0-2-0": "",
	} {
		if got := RevisionOfService("osm", names.Controller, service); got != want {
			t.Errorf("Service %s belongs to %q, want %q", service, got, want)
		}
	}
}

func TestCanarySuffixes(t *testing.T) {
	for role, want := range map[v1alpha1.Role][]string{
		v1alpha1.RoleActive: {""}, v1alpha1.RoleCanary: {"v0-2-0"}, v1alpha1.RolePromoting: {"", "v0-2-0"}, v1alpha1.RoleStandby: nil,
	} {
		revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-2-0"}}
		revision.Spec.Mesh, revision.Spec.Role = "osm", role
		if got := CanarySuffixes(revision); !slices.Equal(got, want) {
			t.Errorf("role %q runs %q, want %q", role, got, want)
		}
	}
}

// A version that failed is not tried again because of an edit that does not concern it, such as that of the log level.
func TestRejectionBelongsToImages(t *testing.T) {
	images := v1alpha1.RevisionImages{Controller: "c:1", Injector: "i:1", Init: "n:1", Sidecar: "s:1"}
	fixed := images
	fixed.Sidecar = "s:2"
	for name, c := range map[string]struct {
		rejected *v1alpha1.RevisionRejection
		want     bool
	}{
		"not rejected":     {nil, false},
		"the spec changed": {&v1alpha1.RevisionRejection{MeshGeneration: 3, Images: &images}, true},
		"other images":     {&v1alpha1.RevisionRejection{MeshGeneration: 4, Images: &fixed}, false},
		"another attempt":  {&v1alpha1.RevisionRejection{MeshGeneration: 3, Images: &images, Attempt: "1"}, false},
	} {
		revision := &v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Images: images}, Status: v1alpha1.MeshRevisionStatus{Rejected: c.rejected}}
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Generation: 4}}
		if got := IsRejected(mesh, revision); got != c.want {
			t.Errorf("%s: rejected is %t", name, got)
		}
	}
}
