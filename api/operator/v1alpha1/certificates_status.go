package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxBlockers limits the entries of CertificatesStatus.Blockers.
const MaxBlockers = 100

// CertificatesStatus describes the certificates that the operator keeps.
type CertificatesStatus struct {
	// issuer is the certificate that issues the certificates of workloads.
	// +required
	Issuer CertificateSummary `json:"issuer"`

	// root is the fingerprint of the root that has issued it, possibly through others.
	// +optional
	Root string `json:"root,omitempty"`

	// trustDomain is the trust domain of new certificates.
	// +optional
	TrustDomain string `json:"trustDomain,omitempty"`

	// acceptedTrustDomains are the accepted trust domains while the mesh moves from one to another.
	// +optional
	// +listType=set
	AcceptedTrustDomains []string `json:"acceptedTrustDomains,omitempty"`

	// workloadIssuer is the issuer of cert-manager of which the certificates of workloads are requested, as "<kind> <name>". It is absent if the
	// control plane issues them.
	// +optional
	WorkloadIssuer string `json:"workloadIssuer,omitempty"`

	// roots are the certificates that the mesh trusts: one, or several during a rotation.
	// +optional
	// +listType=atomic
	Roots []CertificateSummary `json:"roots,omitempty"`

	// webhooks are the certificates of the webhooks, sorted by the name of their Secret.
	// +optional
	// +listType=map
	// +listMapKey=secret
	Webhooks []WebhookCertificate `json:"webhooks,omitempty"`

	// ingressGateway is the certificate of the ingress gateway, if the MeshConfig requests one.
	// +optional
	IngressGateway *GatewayCertificate `json:"ingressGateway,omitempty"`

	// blockers lists each sidecar and webhook that would break if a rotation took its next step now, and what else it waits for, with the
	// reason: at most 100 entries. The last one counts the others.
	// +optional
	// +listType=atomic
	Blockers []string `json:"blockers,omitempty"`
}

// CertificateSummary describes a certificate of an authority.
type CertificateSummary struct {
	// fingerprint is the start of the SHA-256 hash of the certificate. Proxies report the same value for their issuer.
	// +required
	Fingerprint string `json:"fingerprint"`

	// subject is the subject of the certificate.
	// +optional
	Subject string `json:"subject,omitempty"`

	// notAfter is when the certificate expires.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
}

// WebhookCertificate describes the certificate of a webhook.
type WebhookCertificate struct {
	// secret is the name of its Secret.
	// +required
	Secret string `json:"secret"`

	// notAfter is when the certificate expires.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
}

// GatewayCertificate describes the certificate of the ingress gateway.
type GatewayCertificate struct {
	// namespace is the namespace of its Secret.
	// +required
	Namespace string `json:"namespace"`

	// name is the name of its Secret.
	// +required
	Name string `json:"name"`

	// notAfter is when the certificate expires.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
}
