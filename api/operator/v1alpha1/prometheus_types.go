package v1alpha1

// PrometheusSpec is a Prometheus that is asked how many requests fail, in addition to the sidecars' own reports. One that does not answer,
// or has no number, is not well: the upgrade waits, and at the end of the timeout that is a failure.
type PrometheusSpec struct {
	// address is the URL that its API is below, such as http://prometheus.monitoring.svc:9090. The operator sends no password or token.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.matches('[@?#]')",messageExpression="'spec.upgrade.gates.prometheus.address \"' + self + '\" is no address of a Prometheus: write an http or https URL without user, query and fragment, for example http://prometheus.monitoring.svc:9090'"
	Address string `json:"address"`

	// caBundle are the certificates, in PEM, by which that of an https address is verified; the operator's image has none. Default: those
	// that SSL_CERT_FILE or SSL_CERT_DIR of the operator's Deployment name.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	CABundle []byte `json:"caBundle,omitempty"`

	// query yields the share of requests that fail now, one number from 0 to 1. Default: the share of requests between workloads that were
	// answered with 500 or above in the last two minutes, by the metrics of all sidecars in the mesh's namespaces.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query *string `json:"query,omitempty"`
}
