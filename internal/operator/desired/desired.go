package desired

import (
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mesh is the desired state of a Mesh.
type Mesh struct {
	// Name is the name of the mesh.
	Name string
	// Namespace is the namespace of the control plane.
	Namespace string
	// Version is the version of the control plane.
	Version string
	// TrustDomain is the suffix of all identities.
	TrustDomain string
	// DeclaresTrustDomain is true if the Mesh itself declares its trust domain, and no MeshRootCertificate does.
	DeclaresTrustDomain bool
	// Key is the algorithm and size of workload keys. Both fields are set.
	Key v1alpha1.KeySpec
	// Provider is who provides the certificate authority, Issuer the issuer of cert-manager, and Vault the Vault.
	Provider v1alpha1.CertificateProvider
	Issuer   v1alpha1.IssuerReference
	Vault    v1alpha1.VaultSpec
	// RequestsCertificates is true if the issuer of cert-manager issues each certificate of a workload.
	RequestsCertificates bool
	// DeclaresAuthority is true if the Mesh itself declares its certificate authority, and no MeshRootCertificate does.
	DeclaresAuthority bool
	// RotateRoot is the value for which the root is made; empty if none is declared.
	RotateRoot string
	// RotateWithout are the namespaces that rotations do not wait for.
	RotateWithout []string
	// RotateWithoutPeers are the peers that rotations do not wait for.
	RotateWithoutPeers []string
}

// StateOf returns the desired state of a Mesh. current is the version of the operator, which is the default version of a mesh.
func StateOf(mesh *v1alpha1.Mesh, current string) Mesh {
	certificates := ptr.Deref(mesh.Spec.Certificates, v1alpha1.CertificatesSpec{})
	return Mesh{
		Name: mesh.Name, Namespace: ptr.Deref(mesh.Spec.Namespace, names.DefaultNamespace), Version: ptr.Deref(mesh.Spec.Version, current),
		TrustDomain:         ptr.Deref(certificates.TrustDomain, names.DefaultTrustDomain),
		DeclaresTrustDomain: certificates.TrustDomain != nil,
		Key:                 defaultKey(ptr.Deref(certificates.Key, v1alpha1.KeySpec{})),
		Provider:            ptr.Deref(certificates.Provider, v1alpha1.ProviderBuiltIn),
		Issuer:              ptr.Deref(certificates.IssuerRef, v1alpha1.IssuerReference{}),
		Vault:               ptr.Deref(certificates.Vault, v1alpha1.VaultSpec{}),
		RotateRoot:          ptr.Deref(certificates.RotateRoot, ""), RotateWithout: certificates.RotateWithout,
		RotateWithoutPeers:   certificates.RotateWithoutPeers,
		RequestsCertificates: ptr.Deref(certificates.WorkloadIssuance, "") == v1alpha1.IssuanceCertificateRequest,
		DeclaresAuthority:    certificates.Provider != nil || certificates.RotateRoot != nil,
	}
}

// defaultKey returns a key with defaults applied.
func defaultKey(declared v1alpha1.KeySpec) v1alpha1.KeySpec {
	algorithm := ptr.Deref(declared.Algorithm, v1alpha1.ECDSA)
	size := v1alpha1.DefaultECDSAKeySize
	if algorithm == v1alpha1.RSA {
		size = v1alpha1.DefaultRSAKeySize
	}
	return v1alpha1.KeySpec{Algorithm: &algorithm, Size: ptr.To(ptr.Deref(declared.Size, size))}
}

// RevisionName returns the name of the first MeshRevision of a version.
func RevisionName(mesh, version string) string {
	return mesh + "-" + strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(version, ".", "-"), "+", "-"))
}

// revisionSuffix matches the part of a revision's name after the name of the mesh.
var revisionSuffix = regexp.MustCompile(`^(v[0-9]+-[0-9]+-[0-9]+(-[-0-9a-z]+)?|dev(-[0-9a-f]+)?)$`)

// IsRevisionOf reports whether a name is that of a current or earlier MeshRevision of a mesh.
func IsRevisionOf(mesh, revision string) bool {
	suffix, ok := strings.CutPrefix(revision, mesh+"-")
	return ok && revisionSuffix.MatchString(suffix)
}

// anyRevision matches the name of any revision. Its first group is greedy, so the last version in the name counts.
var anyRevision = regexp.MustCompile(`^(.+)-(v[0-9]+-[0-9]+-[0-9]+(-[-0-9a-z]+)?|dev(-[0-9a-f]+)?)$`)

// MeshOf returns the mesh of a current or earlier MeshRevision with this name.
func MeshOf(revision string) (string, bool) {
	parts := anyRevision.FindStringSubmatch(revision)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

// Revision returns the desired MeshRevision of a mesh, without an owner. images are those of the desired version, with those that the Mesh replaces.
func Revision(mesh *v1alpha1.Mesh, desired Mesh, chosen Choice, images operand.Images) *v1alpha1.MeshRevision {
	return &v1alpha1.MeshRevision{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MeshRevision"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   chosen.Name,
			Labels: operand.Labels(desired.Name, desired.Version),
		},
		Spec: v1alpha1.MeshRevisionSpec{
			Mesh: desired.Name, Version: desired.Version, Namespace: desired.Namespace, TrustDomain: desired.TrustDomain,
			Key: desired.Key, ControlPlane: controlPlane(mesh), Slots: slots(mesh),
			Images: v1alpha1.RevisionImages(images), Sidecar: chosen.Sidecar,
		},
	}
}

// slots configures the slots of new pods; nil without sidecars that are upgraded in place.
func slots(mesh *v1alpha1.Mesh) *v1alpha1.RevisionSlots {
	_, _, plane := UpgradeSettings(mesh)
	if ptr.Deref(plane.Restart, v1alpha1.RestartRolling) != v1alpha1.RestartInPlace {
		return nil
	}
	return &v1alpha1.RevisionSlots{DrainTimeout: v1alpha1.NewDuration(DrainTimeout(mesh))}
}

// Parameters returns the parameters for rendering a revision.
func Parameters(revision *v1alpha1.MeshRevision, operatorNamespace string) operand.Parameters {
	spec := revision.Spec
	return operand.Parameters{
		Mesh: spec.Mesh, Namespace: spec.Namespace, OperatorNamespace: operatorNamespace, Revision: revision.Name,
		TrustDomain:     spec.TrustDomain,
		WithoutStatus:   ptr.Deref(spec.PolicyStatus, "") == v1alpha1.PolicyStatusOmit,
		Controller:      operandWorkload(Controller(spec.ControlPlane)),
		Injector:        operandWorkload(Injector(spec.ControlPlane)),
		Scheduling:      scheduling(spec.ControlPlane),
		LogLevel:        ptr.Deref(spec.ControlPlane.LogLevel, ""),
		WebhookClientCA: string(ptr.Deref(spec.ControlPlane.WebhookClientCABundle, "")),
		KeyAlgorithm:    string(ptr.Deref(spec.Key.Algorithm, "")),
		KeySize:         ptr.Deref(spec.Key.Size, 0),
		BridgeUntil:     ptr.Deref(spec.BridgeUntil, metav1.Time{}).Time,
		DrainTimeout:    ptr.Deref(spec.Slots, v1alpha1.RevisionSlots{}).DrainTimeout.Value(),
		Images:          operand.Images(spec.Images),
		Sidecar:         sidecarFlag(spec.Sidecar),
	}
}

// Images returns the images of a mesh: those of its version, unless the Mesh replaces them.
func Images(mesh *v1alpha1.Mesh, version operand.Images) operand.Images {
	declared := ptr.Deref(ptr.Deref(mesh.Spec.ControlPlane, v1alpha1.ControlPlaneSpec{}).Images, v1alpha1.ImagesSpec{})
	version.Controller = ptr.Deref(declared.Controller, version.Controller)
	version.Injector = ptr.Deref(declared.Injector, version.Injector)
	version.Init = ptr.Deref(declared.Init, version.Init)
	return version
}

// controlPlane returns the control plane of a Mesh with defaults applied. It has no images, because a revision has its own field.
func controlPlane(mesh *v1alpha1.Mesh) v1alpha1.ControlPlaneSpec {
	spec := ptr.Deref(mesh.Spec.ControlPlane.DeepCopy(), v1alpha1.ControlPlaneSpec{})
	spec.LogLevel = ptr.To(ptr.Deref(spec.LogLevel, v1alpha1.DefaultControlPlaneLogLevel))
	spec.Controller, spec.Injector = ptr.To(Controller(spec)), ptr.To(Injector(spec))
	spec.Images = nil
	return spec
}

// Controller returns the configuration of the controller with defaults applied.
func Controller(spec v1alpha1.ControlPlaneSpec) v1alpha1.WorkloadSpec {
	return workload(spec.Controller)
}

// Injector returns the configuration of the injector with defaults applied.
func Injector(spec v1alpha1.ControlPlaneSpec) v1alpha1.WorkloadSpec {
	return workload(spec.Injector)
}

// workload applies the defaults.
func workload(declared *v1alpha1.WorkloadSpec) v1alpha1.WorkloadSpec {
	w := ptr.Deref(declared.DeepCopy(), v1alpha1.WorkloadSpec{})
	if w.Autoscaling != nil {
		w.Autoscaling.MinReplicas = ptr.To(ptr.Deref(w.Autoscaling.MinReplicas, v1alpha1.DefaultReplicas))
		w.Autoscaling.TargetCPUUtilizationPercentage = ptr.To(
			ptr.Deref(w.Autoscaling.TargetCPUUtilizationPercentage, v1alpha1.DefaultTargetCPUUtilizationPercentage))
		return w
	}
	w.Replicas = ptr.To(ptr.Deref(w.Replicas, v1alpha1.DefaultReplicas))
	return w
}

// operandWorkload converts a complete configuration into parameters for rendering.
func operandWorkload(w v1alpha1.WorkloadSpec) operand.Workload {
	converted := operand.Workload{
		Replicas: ptr.Deref(w.Replicas, 0), Resources: w.Resources, Labels: w.Labels.Map(), Annotations: w.Annotations,
	}
	if w.Overlay != nil {
		converted.Overlay = w.Overlay.Raw
	}
	if a := w.Autoscaling; a != nil {
		converted.Autoscaling = &operand.Autoscaling{Min: *a.MinReplicas, Max: a.MaxReplicas, CPU: *a.TargetCPUUtilizationPercentage}
	}
	return converted
}

// scheduling converts the scheduling fields of a control plane into parameters for rendering.
func scheduling(spec v1alpha1.ControlPlaneSpec) operand.Scheduling {
	s := operand.Scheduling{
		PriorityClass: ptr.Deref(spec.PriorityClassName, ""), NodeSelector: spec.NodeSelector.Map(),
		Tolerations: spec.Tolerations, Affinity: spec.Affinity, Spread: spec.TopologySpreadConstraints,
	}
	for _, secret := range spec.ImagePullSecrets {
		s.PullSecrets = append(s.PullSecrets, secret.Name)
	}
	return s
}
