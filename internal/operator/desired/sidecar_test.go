package desired

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// memory returns resources with a limit of memory.
func memory(limit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}}
}

// New pods get what the Mesh declares, or else the MeshConfig, or else what the version has.
func TestSidecarHasPrecedence(t *testing.T) {
	images := operand.Images{Sidecar: "version/envoy", Init: "version/init"}
	config := configv1alpha2.SidecarSpec{
		EnvoyImage: "config/envoy", InitContainerImage: "config/init", Resources: memory("1Gi"), Statistics: configv1alpha2.StatisticsAll,
	}
	declared := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{Sidecar: &v1alpha1.SidecarSpec{
		Image: ptr.To("mesh/envoy"), Resources: ptr.To(memory("2Gi")), Statistics: ptr.To("Essential"),
	}}}
	for name, c := range map[string]struct {
		mesh   *v1alpha1.Mesh
		config configv1alpha2.SidecarSpec
		want   v1alpha1.RevisionSidecar
	}{
		"the version":    {&v1alpha1.Mesh{}, configv1alpha2.SidecarSpec{}, v1alpha1.RevisionSidecar{Image: "version/envoy", InitImage: "version/init", Statistics: "Essential"}},
		"the MeshConfig": {&v1alpha1.Mesh{}, config, v1alpha1.RevisionSidecar{Image: "config/envoy", InitImage: "config/init", Resources: ptr.To(memory("1Gi")), Statistics: "All"}},
		"the Mesh":       {declared, config, v1alpha1.RevisionSidecar{Image: "mesh/envoy", InitImage: "config/init", Resources: ptr.To(memory("2Gi")), Statistics: "Essential"}},
	} {
		if diff := cmp.Diff(&c.want, Sidecar(c.mesh, c.config, images)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Each thing that new pods get is another revision of the same version, and the same things are the same one.
func TestChoose(t *testing.T) {
	mesh := Mesh{Name: "osm", Version: "v0.6.0"}
	first := &v1alpha1.RevisionSidecar{Image: "first", InitImage: "init", Statistics: "Essential"}
	revision := func(name, version string, sidecar *v1alpha1.RevisionSidecar) v1alpha1.MeshRevision {
		return v1alpha1.MeshRevision{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MeshRevisionSpec{Version: version, Sidecar: sidecar},
		}
	}
	names := map[string]bool{}
	for name, other := range map[string]*v1alpha1.RevisionSidecar{
		"image":       {Image: "second", InitImage: "init", Statistics: "Essential"},
		"init image":  {Image: "first", InitImage: "second", Statistics: "Essential"},
		"statistics":  {Image: "first", InitImage: "init", Statistics: "All"},
		"resources":   {Image: "first", InitImage: "init", Statistics: "Essential", Resources: ptr.To(memory("1Gi"))},
		"more memory": {Image: "first", InitImage: "init", Statistics: "Essential", Resources: ptr.To(memory("2Gi"))},
	} {
		existing := []v1alpha1.MeshRevision{revision("osm-v0-6-0", "v0.6.0", first)}
		chosen := Choose(mesh, other, existing)
		if names[chosen.Name] || FirstRevision(chosen.Name) != "osm-v0-6-0" || chosen.Name == "osm-v0-6-0" || !IsRevisionOf("osm", chosen.Name) {
			t.Errorf("another %s is the revision %s", name, chosen.Name)
		}
		names[chosen.Name] = true
		existing = append(existing, revision(chosen.Name, "v0.6.0", other))
		if again := Choose(mesh, other, existing); again.Name != chosen.Name {
			t.Errorf("%s: the second choice is %s, want %s", name, again.Name, chosen.Name)
		}
		if back := Choose(mesh, first, existing); back.Name != "osm-v0-6-0" {
			t.Errorf("%s: the way back is %s, want osm-v0-6-0", name, back.Name)
		}
		if next := Choose(Mesh{Name: "osm", Version: "v0.7.0"}, other, existing); next.Name != "osm-v0-7-0" {
			t.Errorf("%s: the next version is %s, want osm-v0-7-0", name, next.Name)
		}
	}
	adopted := []v1alpha1.MeshRevision{revision("osm-v0-6-0", "v0.6.0", nil), revision("osm-v0-5-0", "v0.5.0", nil)}
	if chosen := Choose(mesh, first, adopted); chosen.Name != "osm-v0-6-0" || chosen.Sidecar != first {
		t.Errorf("the revision of an earlier operator is not adopted: %+v", chosen)
	}
	if chosen := Choose(mesh, nil, nil); chosen.Name != "osm-v0-6-0" || chosen.Sidecar != nil {
		t.Errorf("a version that does not keep sidecars is %+v", chosen)
	}
}

// Names of revisions are labels of pods, also with the longest name of a mesh, and differ from each other.
func TestNamesOfRevisionsAreLabels(t *testing.T) {
	for _, length := range []int{1, 45, 46, 47, 50, 53} {
		mesh := Mesh{Name: strings.Repeat("m", length), Version: "v0.6.0"}
		plain := RevisionName(mesh.Name, mesh.Version)
		var revisions []v1alpha1.MeshRevision
		names := map[string]bool{}
		for i := range 8 {
			chosen := Choose(mesh, &v1alpha1.RevisionSidecar{Image: strings.Repeat("i", i+1)}, revisions)
			if errs := validation.IsValidLabelValue(chosen.Name); len(errs) > 0 || names[chosen.Name] || !IsRevisionOf(mesh.Name, chosen.Name) || FirstRevision(chosen.Name) != plain {
				t.Errorf("revision %d of a mesh whose name has %d characters is %s (%v)", i, length, chosen.Name, errs)
			}
			names[chosen.Name] = true
			revisions = append(revisions, v1alpha1.MeshRevision{
				ObjectMeta: metav1.ObjectMeta{Name: chosen.Name}, Spec: v1alpha1.MeshRevisionSpec{Version: mesh.Version, Sidecar: chosen.Sidecar},
			})
		}
	}
	full := Mesh{Name: strings.Repeat("m", 53), Version: "v0.10.10"}
	existing := v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: v1alpha1.MeshRevisionSpec{Version: full.Version, Sidecar: &v1alpha1.RevisionSidecar{Image: "a"}}}
	if chosen := Choose(full, &v1alpha1.RevisionSidecar{Image: "b"}, []v1alpha1.MeshRevision{existing}); len(chosen.Name) > validation.LabelValueMaxLength {
		t.Errorf("the revision %s has %d characters", chosen.Name, len(chosen.Name))
	}
}

func TestFirstRevision(t *testing.T) {
	for revision, want := range map[string]string{
		"osm-v0-6-0": "osm-v0-6-0", "osm-v0-6-0-0123abcd": "osm-v0-6-0", "osm-v0-6-0-rc-1": "osm-v0-6-0-rc-1", "osm-dev-0123abcd": "osm-dev", "osm": "osm", "": "",
		"osm-v0-6-0-rc-1-0123abcd": "osm-v0-6-0-rc-1", "osm-v0-6-0-0123abcg": "osm-v0-6-0-0123abcg",
	} {
		if got := FirstRevision(revision); got != want {
			t.Errorf("FirstRevision(%s) = %s, want %s", revision, got, want)
		}
	}
}

// Images are not a part of the hash of pods with slots, because they change in running pods.
func TestBootstrapHashIgnoresImages(t *testing.T) {
	base := v1alpha1.RevisionSidecar{Image: "a", InitImage: "b", Statistics: "All", Resources: ptr.To(memory("1Gi"))}
	images, statistics, resources := base, base, base
	images.Image, images.InitImage, statistics.Statistics, resources.Resources = "c", "d", "Essential", ptr.To(memory("2Gi"))
	if BootstrapHash(&base) != BootstrapHash(&images) {
		t.Error("images change the hash")
	}
	if BootstrapHash(&base) == BootstrapHash(&statistics) || BootstrapHash(&base) == BootstrapHash(&resources) || BootstrapHash(&base) == "" || BootstrapHash(nil) != "" {
		t.Error("statistics and resources do not change the hash, or there is none")
	}
}

// The injector reads the flag that the operator writes.
func TestInjectorReadsTheFlag(t *testing.T) {
	revision := &v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Sidecar: &v1alpha1.RevisionSidecar{
		Image: "a", InitImage: "b", Statistics: "All", Resources: ptr.To(memory("1Gi")),
	}}}
	got, err := pinned.Parse(Parameters(revision, "").Sidecar)
	want := pinned.Sidecar{Image: "a", InitImage: "b", Statistics: "All", Resources: ptr.To(memory("1Gi")), Hash: BootstrapHash(revision.Spec.Sidecar)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the injector reads another sidecar (%v, -want +got):\n%s", err, diff)
	}
	if flag := Parameters(&v1alpha1.MeshRevision{}, "").Sidecar; flag != "" {
		t.Errorf("a revision that keeps no sidecar has the flag %q", flag)
	}
}

// An upgrade names its version, or its MeshRevision if the version stays.
func TestDestination(t *testing.T) {
	for want, upgrade := range map[string]v1alpha1.UpgradeStatus{
		"version v2":       {From: "v1", To: "v2", Revision: "osm-v2"},
		"version v1":       {To: "v1", Revision: "osm-v1"},
		"MeshRevision osm": {From: "v3", To: "v3", Revision: "osm"},
		"version v4":       {From: "v4", To: "v4"},
	} {
		if got := Destination(&upgrade); got != want {
			t.Errorf("Destination(%+v) = %s, want %s", upgrade, got, want)
		}
	}
}
