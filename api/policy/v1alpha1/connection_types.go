package v1alpha1

// ConnectionSettingsSpec bounds connections and requests of each client to the Service.
type ConnectionSettingsSpec struct {
	// tcp is about connections of every kind.
	// +optional
	TCP *TCPConnectionSettings `json:"tcp,omitempty"`

	// http is about requests, and the connections that carry them.
	// +optional
	HTTP *HTTPConnectionSettings `json:"http,omitempty"`
}

// TCPConnectionSettings bound connections.
type TCPConnectionSettings struct {
	// maxConnections is how many connections a client may have open. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxConnections *int64 `json:"maxConnections,omitempty"`

	// connectTimeout is how long it may take to open a connection, with its TLS handshake. Default: 2s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.tcp.connectTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 5s'"
	ConnectTimeout string `json:"connectTimeout,omitempty"`

	// idleTimeout is after how long without bytes a connection to a TCP port is closed. Default: Envoy's, 1h.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.tcp.idleTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1h'"
	IdleTimeout string `json:"idleTimeout,omitempty"`
}

// HTTPConnectionSettings bound requests.
type HTTPConnectionSettings struct {
	// maxRequests is how many requests of a client may be on their way. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequests *int64 `json:"maxRequests,omitempty"`

	// maxRequestsPerConnection is after how many requests a connection is closed. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequestsPerConnection *int64 `json:"maxRequestsPerConnection,omitempty"`

	// maxPendingRequests is how many requests of a client may wait for a connection. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxPendingRequests *int64 `json:"maxPendingRequests,omitempty"`

	// maxRetries is how many repetitions of requests of a client may be on their way. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRetries *int64 `json:"maxRetries,omitempty"`

	// requestTimeout is how long a request may take, up to the end of its answer and with all repetitions. Default: no limit.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.http.requestTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 15s'"
	RequestTimeout string `json:"requestTimeout,omitempty"`

	// idleTimeout is after how long without requests a connection to an HTTP port is closed. Default: Envoy's, 1h.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.connectionSettings.http.idleTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1h'"
	IdleTimeout string `json:"idleTimeout,omitempty"`
}
