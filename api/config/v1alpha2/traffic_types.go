package v1alpha2

// TrafficSpec is about traffic that is redirected, and traffic that no policy speaks about.
type TrafficSpec struct {
	// enableEgress lets workloads call addresses outside the mesh. Default: false.
	// +optional
	EnableEgress bool `json:"enableEgress,omitempty"`

	// outboundIPRangeExclusionList are IP ranges that sidecars do not intercept. Act on new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|[0-9a-fA-F:]*:[0-9a-fA-F:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$')",messageExpression="'spec.traffic.outboundIPRangeExclusionList has \"' + self + '\", which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32'"
	OutboundIPRangeExclusionList []string `json:"outboundIPRangeExclusionList,omitempty"`

	// outboundIPRangeInclusionList are the only IP ranges that sidecars intercept, when there are any. Act on new
	// pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|[0-9a-fA-F:]*:[0-9a-fA-F:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$')",messageExpression="'spec.traffic.outboundIPRangeInclusionList has \"' + self + '\", which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32'"
	OutboundIPRangeInclusionList []string `json:"outboundIPRangeInclusionList,omitempty"`

	// outboundPortExclusionList are destination ports that sidecars do not intercept. Act on new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	OutboundPortExclusionList []int `json:"outboundPortExclusionList,omitempty"`

	// inboundPortExclusionList are ports of the pod that sidecars do not intercept. Act on new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	InboundPortExclusionList []int `json:"inboundPortExclusionList,omitempty"`

	// networkInterfaceExclusionList are network interfaces whose traffic sidecars do not intercept. Act on new
	// pods.
	// +optional
	NetworkInterfaceExclusionList []string `json:"networkInterfaceExclusionList,omitempty"`

	// enablePermissiveTrafficPolicyMode lets every workload of the mesh call every other one, without access
	// policies. Default: false.
	// +optional
	EnablePermissiveTrafficPolicyMode bool `json:"enablePermissiveTrafficPolicyMode,omitempty"`

	// rulesWithoutMatches says what a rule of a TrafficTarget allows that refers to an HTTPRouteGroup and names none of its
	// matches: All of them, which is what the Service Mesh Interface says, or None, which is how Open Service Mesh read it.
	// Default: All.
	// +optional
	RulesWithoutMatches RulesWithoutMatches `json:"rulesWithoutMatches,omitempty"`

	// inboundExternalAuthorization asks a server about each request that comes in.
	// +optional
	InboundExternalAuthorization ExternalAuthorizationSpec `json:"inboundExternalAuthorization,omitzero"`
}

// RulesWithoutMatches is what a rule allows that names no matches.
// +kubebuilder:validation:Enum=All;None
type RulesWithoutMatches string

const (
	// RulesWithoutMatchesAll allows all matches of the group.
	RulesWithoutMatchesAll RulesWithoutMatches = "All"
	// RulesWithoutMatchesNone allows nothing.
	RulesWithoutMatchesNone RulesWithoutMatches = "None"
)

// ExternalAuthorizationSpec names a gRPC server that allows or denies each inbound HTTP request.
type ExternalAuthorizationSpec struct {
	// enable switches external authorization on. Default: false.
	// +optional
	Enable bool `json:"enable,omitempty"`

	// address is the host name or IP address of the server.
	// +optional
	Address string `json:"address,omitempty"`

	// port is the port of the server.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int `json:"port,omitempty"`

	// statPrefix is the prefix of Envoy's statistics about it. Default: inboundExtAuthz.
	// +optional
	StatPrefix string `json:"statPrefix,omitempty"`

	// timeout is how long a request waits for the answer. Default: 1s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.traffic.inboundExternalAuthorization.timeout \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	Timeout string `json:"timeout,omitempty"`

	// failureModeAllow lets requests pass when the server cannot be reached or does not answer. Default: false.
	// +optional
	FailureModeAllow bool `json:"failureModeAllow,omitempty"`
}
