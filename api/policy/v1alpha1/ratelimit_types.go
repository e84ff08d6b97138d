package v1alpha1

// RateLimitSpec limits the rate of connections and requests. Fields other than local and global are preserved and have no effect.
//
// +kubebuilder:pruning:PreserveUnknownFields
type RateLimitSpec struct {
	// local limits the rate at each pod separately.
	// +optional
	Local *LocalRateLimitSpec `json:"local,omitempty"`

	// global limits the rate over all pods.
	// +optional
	Global *GlobalRateLimitSpec `json:"global,omitempty"`
}

// LocalRateLimitSpec limits rates at each pod.
type LocalRateLimitSpec struct {
	// tcp limits the rate of new connections to TCP ports.
	// +optional
	TCP *TCPLocalRateLimitSpec `json:"tcp,omitempty"`

	// http limits the rate of requests to HTTP ports.
	// +optional
	HTTP *HTTPLocalRateLimitSpec `json:"http,omitempty"`
}

// RateLimitUnit is the time unit of a rate.
// +kubebuilder:validation:Enum=second;minute;hour
type RateLimitUnit string

// TCPLocalRateLimitSpec limits the rate of new connections.
type TCPLocalRateLimitSpec struct {
	// connections is the number of connections that are accepted per unit.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	Connections *int64 `json:"connections"`

	// unit is the time unit of the rate: second, minute or hour.
	// +required
	Unit RateLimitUnit `json:"unit"`

	// burst is the number of additional connections that are accepted in a burst. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	Burst int64 `json:"burst,omitempty"`
}

// HTTPLocalRateLimitSpec limits the rate of requests.
type HTTPLocalRateLimitSpec struct {
	// requests is the number of requests that are served per unit.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	Requests *int64 `json:"requests"`

	// unit is the time unit of the rate: second, minute or hour.
	// +required
	Unit RateLimitUnit `json:"unit"`

	// burst is the number of additional requests that are served in a burst. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	Burst int64 `json:"burst,omitempty"`

	// responseStatusCode is the HTTP status code of responses to requests over the limit. Default: 429.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	ResponseStatusCode *int64 `json:"responseStatusCode,omitempty"`

	// responseHeadersToAdd are HTTP headers that are added to responses to requests over the limit.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	ResponseHeadersToAdd []HTTPHeaderValue `json:"responseHeadersToAdd,omitempty"`
}

// HTTPHeaderValue is a header of an HTTP response.
type HTTPHeaderValue struct {
	// name is the name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`

	// value is the value of the header. Write %% for a percent sign.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
}

// HTTPRouteSpec limits the request rate of one route.
type HTTPRouteSpec struct {
	// path is the exact text of a pathRegex in an HTTPRouteGroup. The value .* matches all paths without such an expression.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path"`

	// rateLimit limits the request rate of the route.
	// +optional
	RateLimit *HTTPPerRouteRateLimitSpec `json:"rateLimit,omitempty"`
}

// HTTPPerRouteRateLimitSpec limits the request rate of one route. Fields other than local and global are preserved and have no effect.
//
// +kubebuilder:pruning:PreserveUnknownFields
type HTTPPerRouteRateLimitSpec struct {
	// local limits the rate at each pod separately.
	// +optional
	Local *HTTPLocalRateLimitSpec `json:"local,omitempty"`

	// global limits the rate over all pods.
	// +optional
	Global *HTTPPerRouteGlobalRateLimitSpec `json:"global,omitempty"`
}
