package desired

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Sidecar returns what new pods of a mesh get: what the Mesh declares, or else the MeshConfig, or else the images of the version.
func Sidecar(mesh *v1alpha1.Mesh, config configv1alpha2.SidecarSpec, images operand.Images) *v1alpha1.RevisionSidecar {
	declared := ptr.Deref(mesh.Spec.Sidecar, v1alpha1.SidecarSpec{})
	s := &v1alpha1.RevisionSidecar{
		Image:      cmp.Or(ptr.Deref(declared.Image, ""), config.EnvoyImage, images.Sidecar),
		InitImage:  cmp.Or(config.InitContainerImage, images.Init),
		Statistics: cmp.Or(ptr.Deref(declared.Statistics, ""), string(config.Statistics), string(configv1alpha2.StatisticsEssential)),
	}
	resources := ptr.To(config.Resources)
	if declared.Resources != nil {
		resources = declared.Resources
	}
	if !equality.Semantic.DeepEqual(*resources, corev1.ResourceRequirements{}) {
		s.Resources = resources.DeepCopy()
	}
	return s
}

// Choice is a MeshRevision that may not exist yet.
type Choice struct {
	Name string
	// Sidecar is what its new pods get; nil for a version whose injector reads only the MeshConfig.
	Sidecar *v1alpha1.RevisionSidecar
}

// Choose returns the MeshRevision of the desired version with which new pods get a sidecar: one that exists, or else one that is named after what it gives
// them. The first revision of a version has its plain name. One of an earlier operator, which does not say what its pods get, becomes that of the present
// sidecar.
func Choose(mesh Mesh, sidecar *v1alpha1.RevisionSidecar, revisions []v1alpha1.MeshRevision) Choice {
	plain := RevisionName(mesh.Name, mesh.Version)
	if sidecar == nil {
		return Choice{Name: plain}
	}
	open, known := "", false
	for i := range revisions {
		r := &revisions[i]
		switch {
		case r.Spec.Version != mesh.Version:
			continue
		case r.Spec.Sidecar == nil:
			open = r.Name
		case equality.Semantic.DeepEqual(r.Spec.Sidecar, sidecar):
			return Choice{r.Name, sidecar}
		}
		known = true
	}
	switch {
	case open != "":
		return Choice{open, sidecar}
	case !known:
		return Choice{plain, sidecar}
	}
	return Choice{unusedName(plain, sidecar, revisions), sidecar}
}

// unusedName returns the name of another revision of a version. It is a label of pods: with a long name of the mesh the hash is shorter, and another one is
// taken if it is in use. A plain name of 62 characters or more leaves no room for a hash, and the API server rejects the other sidecar.
func unusedName(plain string, sidecar *v1alpha1.RevisionSidecar, revisions []v1alpha1.MeshRevision) string {
	room := min(hashLength, validation.LabelValueMaxLength-len(plain)-1)
	if room < 1 {
		return plain
	}
	name := ""
	for attempt := range len(revisions) + 1 {
		name = plain + "-" + hashOf([]any{sidecar, attempt})[:room]
		if !slices.ContainsFunc(revisions, func(r v1alpha1.MeshRevision) bool { return r.Name == name }) {
			break
		}
	}
	return name
}

// FirstRevision returns the plain name of the version of a revision, whose name may have a hash in addition.
func FirstRevision(revision string) string {
	at := strings.LastIndexByte(revision, '-')
	isHash := len(revision)-at-1 == hashLength || len(revision) == validation.LabelValueMaxLength
	if at < 0 || !isHash || strings.Trim(revision[at+1:], "0123456789abcdef") != "" {
		return revision
	}
	return revision[:at]
}

// hashLength is the number of hexadecimal digits of a hash. Only names of the greatest length have shorter ones.
const hashLength = 8

func hashOf(content any) string {
	text, err := json.Marshal(content)
	if err != nil {
		return strings.Repeat("0", hashLength) // types of the API are always written
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:hashLength]
}

// BootstrapHash identifies what images of slots do not change about a sidecar; empty for a revision that does not say what its pods get.
func BootstrapHash(sidecar *v1alpha1.RevisionSidecar) string {
	if sidecar == nil {
		return ""
	}
	return hashOf(v1alpha1.RevisionSidecar{Resources: sidecar.Resources, Statistics: sidecar.Statistics})
}

// sidecarFlag returns the flag of the injector.
func sidecarFlag(sidecar *v1alpha1.RevisionSidecar) string {
	if sidecar == nil {
		return ""
	}
	return pinned.Sidecar{
		Image: sidecar.Image, InitImage: sidecar.InitImage, Resources: sidecar.Resources, Statistics: sidecar.Statistics, Hash: BootstrapHash(sidecar),
	}.String()
}
