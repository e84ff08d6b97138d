package v1alpha1

// Defaults of a VaultSpec.
const (
	DefaultVaultMount     = "pki"
	DefaultVaultAuthMount = "kubernetes"
)

// VaultSpec is the PKI of a Vault, and how the operator authenticates at it.
//
// +kubebuilder:validation:XValidation:rule="has(self.tokenSecretRef) != has(self.kubernetes)",message="spec.certificates.vault needs either tokenSecretRef or kubernetes"
type VaultSpec struct {
	// address is the URL of the Vault, for example https://vault.vault:8200.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#]+$')",messageExpression="'spec.certificates.vault.address \"' + self + '\" is not the address of a Vault: write for example https://vault.vault:8200'"
	Address string `json:"address"`

	// mount is the path of the PKI. Default: pki.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$')",messageExpression="'spec.certificates.vault.mount \"' + self + '\" is not the path of a PKI: write for example pki'"
	Mount *string `json:"mount,omitempty"`

	// caBundle verifies the certificate of the Vault. Default: those of the operator's image.
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`

	// tokenSecretRef is a Secret in the namespace of the mesh with a token of the Vault.
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`

	// kubernetes authenticates the operator by its ServiceAccount. Its tokens have the audience vault.
	// +optional
	Kubernetes *VaultKubernetesAuth `json:"kubernetes,omitempty"`
}

// SecretKeyReference refers to a key of a Secret.
type SecretKeyReference struct {
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
}

// VaultKubernetesAuth is the Kubernetes authentication of a Vault.
type VaultKubernetesAuth struct {
	// role is the role in the Vault.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Role string `json:"role"`

	// mount is the path of the authentication. Default: kubernetes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$')",messageExpression="'spec.certificates.vault.kubernetes.mount \"' + self + '\" is not the path of an authentication: write for example kubernetes'"
	Mount *string `json:"mount,omitempty"`
}
