package v1alpha1

// PrometheusSpec is a Prometheus server that is queried for the share of failed requests, in addition to the load reports of sidecars.
// Without an answer, or without a number in it, the gate does not pass, and fails at the end of the timeout.
type PrometheusSpec struct {
	// address is the base URL of its API, such as http://prometheus.monitoring.svc:9090. If the namespace of the mesh has a
	// Secret osm-prometheus-token, its key token is sent as bearer token to https addresses.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.matches('[@?#]')",messageExpression="'spec.upgrade.gates.prometheus.address \"' + self + '\" is not the address of a Prometheus server: write an http or https URL without user, query and fragment, for example http://prometheus.monitoring.svc:9090'"
	Address string `json:"address"`

	// caBundle verifies the certificate of an https address. The operator's image contains none. Default: the
	// files that SSL_CERT_FILE or SSL_CERT_DIR of the operator's Deployment name.
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`

	// query is a PromQL query for the current share of failed requests, one number from 0 to 1. Default: the share of requests between
	// workloads with status 500 or above in the last two minutes. It comes from the metrics of all sidecars in the mesh's namespaces.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query *string `json:"query,omitempty"`
}
