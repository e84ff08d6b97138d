package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshRootCertificate declares a root of the mesh in whose namespace it is, and whether that root issues certificates. A Mesh that sets
// spec.certificates.provider or spec.certificates.rotateRoot ignores it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Namespaced,shortName=mrc,categories=osm
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshRootCertificate struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec declares the root.
	// +required
	Spec MeshRootCertificateSpec `json:"spec"`

	// status reports what the mesh does with the root. Only the operator writes it.
	// +optional
	Status MeshRootCertificateStatus `json:"status,omitzero"`
}

// RootRole is what a root is for.
// +kubebuilder:validation:Enum=active;passive;inactive
type RootRole string

// The roles.
const (
	// RoleActive makes the root issue certificates.
	RoleActive RootRole = "active"
	// RolePassive makes the mesh trust the root, which does not issue.
	RolePassive RootRole = "passive"
	// RoleInactive has the root withdrawn.
	RoleInactive RootRole = "inactive"
)

// MeshRootCertificateSpec declares a root.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.trustDomain) || has(self.trustDomain) && self.trustDomain == oldSelf.trustDomain",message="spec.trustDomain cannot change: create another MeshRootCertificate"
// +kubebuilder:validation:XValidation:rule="self.provider == oldSelf.provider",message="spec.provider cannot change: create another MeshRootCertificate, and give it the role passive first"
type MeshRootCertificateSpec struct {
	// role is active, passive or inactive. Default: active.
	// +optional
	Role RootRole `json:"role,omitempty"`

	// trustDomain is the trust domain in which this root issues. The trust domains of passive roots are accepted. Default: that of the Mesh.
	// If the Mesh sets one, it must be the same.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	TrustDomain string `json:"trustDomain,omitempty"`

	// spiffeEnabled has no effect: certificates always have a SPIFFE ID.
	// +optional
	SpiffeEnabled bool `json:"spiffeEnabled,omitempty"`

	// provider is where the root comes from. Exactly one field is set.
	// +required
	Provider RootProvider `json:"provider"`
}

// RootProvider is where a root comes from.
//
// +kubebuilder:validation:XValidation:rule="[has(self.tresor), has(self.certManager), has(self.vault)].exists_one(x, x)",message="spec.provider needs exactly one of tresor, certManager and vault"
type RootProvider struct {
	// tresor is a root in a Secret.
	// +optional
	Tresor *TresorProvider `json:"tresor,omitempty"`

	// certManager is an issuer of cert-manager, which issues an intermediate authority.
	// +optional
	CertManager *CertManagerProvider `json:"certManager,omitempty"`

	// vault is the PKI of a Vault, which issues an intermediate authority.
	// +optional
	Vault *VaultProvider `json:"vault,omitempty"`
}

// TresorProvider is a root in a Secret.
type TresorProvider struct {
	// ca refers to the root.
	// +required
	CA TresorCA `json:"ca"`
}

// TresorCA refers to a root.
type TresorCA struct {
	// secretRef is the Secret with the keys ca.crt and private.key. It must be in the namespace of the mesh. It is created with a new root
	// if it does not exist.
	// +required
	SecretRef corev1.SecretReference `json:"secretRef"`
}

// CertManagerProvider refers to an issuer of cert-manager.
type CertManagerProvider struct {
	// issuerName is the name of the issuer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	IssuerName string `json:"issuerName"`

	// issuerKind is Issuer or ClusterIssuer. An Issuer must be in the namespace of the mesh. Default: Issuer.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	IssuerKind string `json:"issuerKind,omitempty"`

	// issuerGroup is the API group of the issuer. Default: cert-manager.io.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	IssuerGroup string `json:"issuerGroup,omitempty"`
}

// VaultProvider is the PKI of a Vault, mounted at pki.
type VaultProvider struct {
	// host is the host name or the address of the Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`

	// port is the port of the Vault. Default: 8200.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// role has no effect: Vault signs an intermediate authority, which needs no role.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role,omitempty"`

	// protocol is http or https. Default: http.
	// +optional
	// +kubebuilder:validation:Enum=http;https
	Protocol string `json:"protocol,omitempty"`

	// token is the token of the Vault.
	// +required
	Token VaultToken `json:"token"`
}

// VaultToken refers to the token of a Vault.
type VaultToken struct {
	// secretKeyRef is the Secret with the token. It must be in the namespace of the mesh.
	// +required
	SecretKeyRef VaultTokenReference `json:"secretKeyRef"`
}

// VaultTokenReference refers to a key of a Secret.
type VaultTokenReference struct {
	// name is the name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key is the key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`

	// namespace is the namespace of the Secret. Default: that of the mesh, which it must equal.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// The states of a root.
const (
	// StateValidatingRollout means that the mesh trusts the root, or starts to. It does not issue.
	StateValidatingRollout = "validatingRollout"
	// StateIssuingRollout means that the root issues, and certificates of the earlier one are being replaced.
	StateIssuingRollout = "issuingRollout"
	// StateActive means that the root issues all certificates.
	StateActive = "active"
	// StateIssuingRollback means that the root should not issue any more, and still does.
	StateIssuingRollback = "issuingRollback"
	// StateValidatingRollback means that the root should not be trusted any more, and still is.
	StateValidatingRollback = "validatingRollback"
	// StateInactive means that the mesh does not trust the root.
	StateInactive = "inactive"
	// StateError means that the root cannot be used. The condition Accepted has the reason.
	StateError = "error"
)

// MeshRootCertificateStatus reports what a mesh does with a root.
type MeshRootCertificateStatus struct {
	// state is validatingRollout, issuingRollout, active, issuingRollback, validatingRollback, inactive or error.
	// +optional
	State string `json:"state,omitempty"`

	// secret is the Secret with the authority that cert-manager or Vault has issued.
	// +optional
	Secret string `json:"secret,omitempty"`

	// root is the fingerprint of the root.
	// +optional
	Root string `json:"root,omitempty"`

	// conditions contains Accepted, which is True when the root can be used, and Ready, which is True when the role is in effect.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionReady is True when the role of a MeshRootCertificate is in effect.
const ConditionReady = "Ready"

// MeshRootCertificateList is a list of MeshRootCertificates.
//
// +kubebuilder:object:root=true
type MeshRootCertificateList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MeshRootCertificate `json:"items"`
}
