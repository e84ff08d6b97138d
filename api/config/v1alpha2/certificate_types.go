package v1alpha2

import corev1 "k8s.io/api/core/v1"

// CertificateSpec configures the certificates of workloads and of an ingress gateway.
type CertificateSpec struct {
	// serviceCertValidityDuration is the validity of workload certificates, for example 24h.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.certificate.serviceCertValidityDuration \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$') || duration(self) > duration('0s')",messageExpression="'spec.certificate.serviceCertValidityDuration is ' + self + ', so every certificate would have ended before its first use: write a longer duration, for example 24h'"
	ServiceCertValidityDuration string `json:"serviceCertValidityDuration"`

	// certKeyBitSize is the size of RSA keys in bits, from 2048 to 4096. Other values mean 2048. It takes effect only
	// if the Mesh sets the key algorithm RSA.
	// +required
	CertKeyBitSize int `json:"certKeyBitSize"`

	// ingressGateway requests a client certificate for an ingress gateway outside the mesh.
	// +optional
	IngressGateway *IngressGatewayCertSpec `json:"ingressGateway,omitempty"`
}

// IngressGatewayCertSpec defines the client certificate of an ingress gateway and the Secret that stores it.
type IngressGatewayCertSpec struct {
	// subjectAltNames are the subject alternative names of the certificate. Only the first is used.
	// +optional
	// +kubebuilder:validation:MinItems=1
	SubjectAltNames []string `json:"subjectAltNames,omitempty"`

	// validityDuration is the validity of the certificate. Default: 24h.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.certificate.ingressGateway.validityDuration \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	ValidityDuration string `json:"validityDuration,omitempty"`

	// secret is the Secret that stores the certificate and its private key.
	// +optional
	Secret corev1.SecretReference `json:"secret,omitzero"`
}
