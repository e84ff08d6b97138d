package v1alpha1

// ConnectionSettingsSpec limits the connections and requests of each client to the Service.
type ConnectionSettingsSpec struct {
	// tcp configures connections of all protocols.
	// +optional
	TCP *TCPConnectionSettings `json:"tcp,omitempty"`

	// http configures HTTP requests and their connections.
	// +optional
	HTTP *HTTPConnectionSettings `json:"http,omitempty"`
}

// TCPConnectionSettings limits connections.
type TCPConnectionSettings struct {
	// maxConnections is the maximum number of open connections of each client. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxConnections *int64 `json:"maxConnections,omitempty"`

	// connectTimeout is the timeout for opening a connection, including the TLS handshake. Default: 2s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.tcp.connectTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 5s'"
	ConnectTimeout string `json:"connectTimeout,omitempty"`

	// idleTimeout is the time without data after which a connection to a TCP port is closed. Default: 1h, the default of Envoy.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.tcp.idleTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1h'"
	IdleTimeout string `json:"idleTimeout,omitempty"`
}

// HTTPConnectionSettings limits requests.
type HTTPConnectionSettings struct {
	// maxRequests is the maximum number of active requests of each client. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequests *int64 `json:"maxRequests,omitempty"`

	// maxRequestsPerConnection is the maximum number of requests on a connection before it is closed. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequestsPerConnection *int64 `json:"maxRequestsPerConnection,omitempty"`

	// maxPendingRequests is the maximum number of requests of each client that wait for a connection. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxPendingRequests *int64 `json:"maxPendingRequests,omitempty"`

	// maxRetries is the maximum number of active retries of each client. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRetries *int64 `json:"maxRetries,omitempty"`

	// requestTimeout is the timeout for the complete response to a request, including all retries. Default: no limit.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.http.requestTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 15s'"
	RequestTimeout string `json:"requestTimeout,omitempty"`

	// idleTimeout is the time without requests after which a connection to an HTTP port is closed. Default: 20s between sidecars, which is also
	// the maximum there; 1h, the default of Envoy, to servers outside the mesh.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.http.idleTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1h'"
	IdleTimeout string `json:"idleTimeout,omitempty"`
}
