package v1alpha1

// CABundle has the certificates of one or more certificate authorities as PEM text. Each such field is named caBundle, or ends in CABundle.
//
// +kubebuilder:validation:MaxLength=65536
// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN CERTIFICATE-----')",message="write certificates as PEM text, with -----BEGIN CERTIFICATE-----"
type CABundle string
