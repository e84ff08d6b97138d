package v1alpha1

// GlobalRateLimitSpec limits rates over all pods of the Service, by a rate limit service.
type GlobalRateLimitSpec struct {
	// tcp limits the rate of new connections.
	// +optional
	TCP *TCPGlobalRateLimitSpec `json:"tcp,omitempty"`

	// http limits the rate of requests to HTTP ports.
	// +optional
	HTTP *HTTPGlobalRateLimitSpec `json:"http,omitempty"`
}

// RateLimitServiceSpec is a server with Envoy's rate limit API over gRPC, such as envoyproxy/ratelimit.
type RateLimitServiceSpec struct {
	// host is a DNS name or an IP address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`

	// port is the port of the server.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// GlobalLimitSpec is what limits of connections and of requests have in common.
type GlobalLimitSpec struct {
	// rateLimitService is the server that counts.
	// +required
	RateLimitService RateLimitServiceSpec `json:"rateLimitService"`

	// domain selects a set of limits in the server.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Domain string `json:"domain"`

	// timeout bounds each decision, from 10ms to 1m. Default: 20ms.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Timeout string `json:"timeout,omitempty"`

	// failOpen allows what the server does not decide in time. Default: true.
	// +optional
	FailOpen *bool `json:"failOpen,omitempty"`
}

// TCPGlobalRateLimitSpec limits the rate of new connections.
type TCPGlobalRateLimitSpec struct {
	GlobalLimitSpec `json:",inline"`

	// descriptors are sent to the server for each connection.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Descriptors []TCPRateLimitDescriptor `json:"descriptors"`
}

// TCPRateLimitDescriptor is a list of keys and values.
type TCPRateLimitDescriptor struct {
	// entries are the keys and values, in order.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Entries []TCPRateLimitDescriptorEntry `json:"entries"`
}

// TCPRateLimitDescriptorEntry is a key with a value.
type TCPRateLimitDescriptorEntry struct {
	// key is the key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key"`

	// value is the value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`
}

// HTTPGlobalRateLimitSpec limits the rate of requests.
type HTTPGlobalRateLimitSpec struct {
	GlobalLimitSpec `json:",inline"`

	// descriptors are sent to the server for each request to a route without descriptors of its own.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	Descriptors []HTTPGlobalRateLimitDescriptor `json:"descriptors,omitempty"`

	// enableXRateLimitHeaders adds the headers x-ratelimit-limit, x-ratelimit-remaining and x-ratelimit-reset to responses.
	// +optional
	EnableXRateLimitHeaders bool `json:"enableXRateLimitHeaders,omitempty"`

	// responseStatusCode is the HTTP status code of responses to requests over the limit. Default: 429.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	ResponseStatusCode int64 `json:"responseStatusCode,omitempty"`
}

// HTTPPerRouteGlobalRateLimitSpec has the descriptors of a route.
type HTTPPerRouteGlobalRateLimitSpec struct {
	// descriptors are sent to the server of rateLimit.global.http for each request to the route, instead of those there.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	Descriptors []HTTPGlobalRateLimitDescriptor `json:"descriptors,omitempty"`
}

// HTTPGlobalRateLimitDescriptor is a list of entries. A request without one of the entries does not send the descriptor.
type HTTPGlobalRateLimitDescriptor struct {
	// entries are the entries, in order.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Entries []HTTPGlobalRateLimitDescriptorEntry `json:"entries"`
}

// HTTPGlobalRateLimitDescriptorEntry is a key whose value comes from the request. Exactly one field is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.genericKey), has(self.remoteAddress), has(self.requestHeader), has(self.headerValueMatch)].exists_one(x, x)",message="an entry needs exactly one of genericKey, remoteAddress, requestHeader and headerValueMatch"
type HTTPGlobalRateLimitDescriptorEntry struct {
	// genericKey is a fixed value.
	// +optional
	GenericKey *GenericKeyDescriptorEntry `json:"genericKey,omitempty"`

	// remoteAddress is the address of the client, from the header x-forwarded-for if the client sends it. Its key is remote_address.
	// +optional
	RemoteAddress *RemoteAddressDescriptorEntry `json:"remoteAddress,omitempty"`

	// requestHeader is the value of a header.
	// +optional
	RequestHeader *RequestHeaderDescriptorEntry `json:"requestHeader,omitempty"`

	// headerValueMatch is a fixed value for requests whose headers match.
	// +optional
	HeaderValueMatch *HeaderValueMatchDescriptorEntry `json:"headerValueMatch,omitempty"`
}

// GenericKeyDescriptorEntry is a fixed value.
type GenericKeyDescriptorEntry struct {
	// value is the value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`

	// key is the key. Default: generic_key.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`
}

// RemoteAddressDescriptorEntry has no fields.
type RemoteAddressDescriptorEntry struct{}

// RequestHeaderDescriptorEntry is the value of a header.
type RequestHeaderDescriptorEntry struct {
	// name is the name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`

	// key is the key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key"`
}

// HeaderValueMatchDescriptorEntry is a fixed value for requests whose headers match.
type HeaderValueMatchDescriptorEntry struct {
	// value is the value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`

	// headers must all match.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Headers []HTTPHeaderMatcher `json:"headers"`

	// key is the key. Default: header_match.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// expectMatch is false to select the requests whose headers do not match. Default: true.
	// +optional
	ExpectMatch *bool `json:"expectMatch,omitempty"`
}

// HTTPHeaderMatcher matches a header. At most one field other than name is set; without one, the header must be present.
type HTTPHeaderMatcher struct {
	// name is the name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`

	// exact is the whole value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Exact string `json:"exact,omitempty"`

	// prefix is the beginning of the value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Prefix string `json:"prefix,omitempty"`

	// suffix is the end of the value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Suffix string `json:"suffix,omitempty"`

	// regex is a regular expression of RE2 for the whole value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Regex string `json:"regex,omitempty"`

	// contains is a part of the value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Contains string `json:"contains,omitempty"`

	// present is true if the header must be present, and false if it must be absent.
	// +optional
	Present *bool `json:"present,omitempty"`
}
