package v1alpha1

// RateLimitSpec bounds the rate of connections and requests. Fields other than local, such as global of later versions of Open
// Service Mesh, are kept as they are and have no effect.
//
// +kubebuilder:pruning:PreserveUnknownFields
type RateLimitSpec struct {
	// local counts at each pod on its own.
	// +optional
	Local *LocalRateLimitSpec `json:"local,omitempty"`
}

// LocalRateLimitSpec bounds rates at each pod.
type LocalRateLimitSpec struct {
	// tcp bounds new connections to ports that do not speak HTTP.
	// +optional
	TCP *TCPLocalRateLimitSpec `json:"tcp,omitempty"`

	// http bounds requests to ports that speak HTTP.
	// +optional
	HTTP *HTTPLocalRateLimitSpec `json:"http,omitempty"`
}

// RateLimitUnit is the time over which a rate is counted.
// +kubebuilder:validation:Enum=second;minute;hour
type RateLimitUnit string

// TCPLocalRateLimitSpec bounds new connections.
type TCPLocalRateLimitSpec struct {
	// connections is how many connections are accepted in each unit of time.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	Connections int64 `json:"connections"`

	// unit is second, minute or hour.
	// +required
	Unit RateLimitUnit `json:"unit"`

	// burst is how many connections more are accepted after a quiet time. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	Burst int64 `json:"burst,omitempty"`
}

// HTTPLocalRateLimitSpec bounds requests.
type HTTPLocalRateLimitSpec struct {
	// requests is how many requests are served in each unit of time.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	Requests int64 `json:"requests"`

	// unit is second, minute or hour.
	// +required
	Unit RateLimitUnit `json:"unit"`

	// burst is how many requests more are served after a quiet time. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	Burst int64 `json:"burst,omitempty"`

	// responseStatusCode is the status code of the answer to what exceeds the limit. Default: 429.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	ResponseStatusCode int64 `json:"responseStatusCode,omitempty"`

	// responseHeadersToAdd are headers of that answer.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	ResponseHeadersToAdd []HTTPHeaderValue `json:"responseHeadersToAdd,omitempty"`
}

// HTTPHeaderValue is a header of an answer.
type HTTPHeaderValue struct {
	// name is the name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`

	// value is its value; write %% for a percent sign.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
}

// HTTPRouteSpec bounds the rate of the requests to one route.
type HTTPRouteSpec struct {
	// path is the pathRegex of an HTTPRouteGroup, letter by letter; .* is every path that no such expression names.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path"`

	// rateLimit bounds the rate.
	// +optional
	RateLimit *HTTPPerRouteRateLimitSpec `json:"rateLimit,omitempty"`
}

// HTTPPerRouteRateLimitSpec bounds the rate of the requests to one route. Fields other than local are kept as they are and have
// no effect.
//
// +kubebuilder:pruning:PreserveUnknownFields
type HTTPPerRouteRateLimitSpec struct {
	// local counts at each pod on its own.
	// +optional
	Local *HTTPLocalRateLimitSpec `json:"local,omitempty"`
}
