package desired

import (
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// Mesh is what a Mesh asks for.
type Mesh struct {
	// Name is the name of the mesh.
	Name string
	// Namespace is where it runs.
	Namespace string
	// Version is the version of its control plane.
	Version string
	// TrustDomain is the end of its identities.
	TrustDomain string
	// Key is the kind and size of the keys of workloads; both fields are set.
	Key v1alpha1.KeySpec
}

// Of applies the defaults. current is the version of the operator, the default version of a mesh.
func Of(mesh *v1alpha1.Mesh, current string) Mesh {
	wanted := Mesh{
		Name:        mesh.Name,
		Namespace:   ptr.Deref(mesh.Spec.Namespace, names.DefaultNamespace),
		Version:     ptr.Deref(mesh.Spec.Version, current),
		TrustDomain: names.DefaultTrustDomain,
		Key:         key(nil),
	}
	if certificates := mesh.Spec.Certificates; certificates != nil {
		wanted.TrustDomain = ptr.Deref(certificates.TrustDomain, names.DefaultTrustDomain)
		wanted.Key = key(certificates.Key)
	}
	return wanted
}

// key completes a key.
func key(declared *v1alpha1.KeySpec) v1alpha1.KeySpec {
	if declared == nil {
		declared = &v1alpha1.KeySpec{}
	}
	algorithm := ptr.Deref(declared.Algorithm, v1alpha1.ECDSA)
	size := v1alpha1.DefaultECDSAKeySize
	if algorithm == v1alpha1.RSA {
		size = v1alpha1.DefaultRSAKeySize
	}
	return v1alpha1.KeySpec{Algorithm: &algorithm, Size: ptr.To(ptr.Deref(declared.Size, size))}
}

// RevisionName is the name of the MeshRevision of a version.
func RevisionName(mesh, version string) string {
	return mesh + "-" + strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(version, ".", "-"), "+", "-"))
}

// revisionSuffix is what follows the name of the mesh in the name of a revision.
var revisionSuffix = regexp.MustCompile(`^(v[0-9]+-[0-9]+-[0-9]+(-[-0-9a-z]+)?|dev)$`)

// IsRevisionOf says whether a MeshRevision of this name belongs, or belonged, to a mesh.
func IsRevisionOf(mesh, revision string) bool {
	suffix, ok := strings.CutPrefix(revision, mesh+"-")
	return ok && revisionSuffix.MatchString(suffix)
}

// anyRevision is the name of any revision: the mesh's name cannot hold what looks like a version twice, so the last one counts.
var anyRevision = regexp.MustCompile(`^(.+)-(v[0-9]+-[0-9]+-[0-9]+(-[-0-9a-z]+)?|dev)$`)

// MeshOf is the mesh that a MeshRevision of this name belongs, or belonged, to.
func MeshOf(revision string) (string, bool) {
	parts := anyRevision.FindStringSubmatch(revision)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

// Revision is the MeshRevision that a mesh should have, without an owner. images are those of the wanted version.
func Revision(mesh *v1alpha1.Mesh, wanted Mesh, images operand.Images) *v1alpha1.MeshRevision {
	images = Images(mesh, images)
	return &v1alpha1.MeshRevision{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MeshRevision"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   RevisionName(wanted.Name, wanted.Version),
			Labels: operand.Labels(wanted.Name, wanted.Version),
		},
		Spec: v1alpha1.MeshRevisionSpec{
			Mesh: wanted.Name, Version: wanted.Version, Namespace: wanted.Namespace, TrustDomain: wanted.TrustDomain,
			Key: wanted.Key, ControlPlane: controlPlane(mesh),
			Images: v1alpha1.RevisionImages{
				Controller: images.Controller, Injector: images.Injector, Init: images.Init, Sidecar: images.Sidecar,
			},
		},
	}
}

// Parameters are what a revision is rendered with.
func Parameters(revision *v1alpha1.MeshRevision, operatorNamespace string) operand.Parameters {
	spec := revision.Spec
	return operand.Parameters{
		Mesh: spec.Mesh, Namespace: spec.Namespace, OperatorNamespace: operatorNamespace, Revision: revision.Name,
		TrustDomain:  spec.TrustDomain,
		Replicas:     ptr.Deref(spec.ControlPlane.Replicas, v1alpha1.DefaultReplicas),
		Autoscaling:  autoscaling(spec.ControlPlane),
		Scheduling:   scheduling(spec.ControlPlane),
		Resources:    spec.ControlPlane.Resources,
		LogLevel:     ptr.Deref(spec.ControlPlane.LogLevel, ""),
		KeyAlgorithm: string(ptr.Deref(spec.Key.Algorithm, "")),
		KeySize:      ptr.Deref(spec.Key.Size, 0),
		Images: operand.Images{
			Controller: spec.Images.Controller, Injector: spec.Images.Injector, Init: spec.Images.Init, Sidecar: spec.Images.Sidecar,
		},
	}
}
