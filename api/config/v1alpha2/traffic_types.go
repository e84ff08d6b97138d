package v1alpha2

// TrafficSpec configures which traffic is redirected to sidecars, and the handling of traffic without a policy.
type TrafficSpec struct {
	// enableEgress allows workloads to send traffic to destinations outside the mesh. Default: false.
	// +optional
	EnableEgress bool `json:"enableEgress,omitempty"`

	// outboundIPRangeExclusionList are destination IP ranges that sidecars do not intercept. Applies to new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|[0-9a-fA-F:]*:[0-9a-fA-F:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$')",messageExpression="'spec.traffic.outboundIPRangeExclusionList has \"' + self + '\", which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32'"
	OutboundIPRangeExclusionList []string `json:"outboundIPRangeExclusionList,omitempty"`

	// outboundIPRangeInclusionList are the only destination IP ranges that sidecars intercept. If it is empty, sidecars
	// intercept all ranges. Applies to new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|[0-9a-fA-F:]*:[0-9a-fA-F:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$')",messageExpression="'spec.traffic.outboundIPRangeInclusionList has \"' + self + '\", which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32'"
	OutboundIPRangeInclusionList []string `json:"outboundIPRangeInclusionList,omitempty"`

	// outboundPortExclusionList are destination ports that sidecars do not intercept. Applies to new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	OutboundPortExclusionList []int `json:"outboundPortExclusionList,omitempty"`

	// inboundPortExclusionList are ports of the pod that sidecars do not intercept. Applies to new pods.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	InboundPortExclusionList []int `json:"inboundPortExclusionList,omitempty"`

	// networkInterfaceExclusionList are network interfaces whose traffic sidecars do not intercept. Applies to new
	// pods.
	// +optional
	NetworkInterfaceExclusionList []string `json:"networkInterfaceExclusionList,omitempty"`

	// enablePermissiveTrafficPolicyMode allows all traffic between workloads of the mesh, without access policies.
	// Default: false.
	// +optional
	EnablePermissiveTrafficPolicyMode bool `json:"enablePermissiveTrafficPolicyMode,omitempty"`

	// rulesWithoutMatches applies to TrafficTarget rules that refer to an HTTPRouteGroup without naming matches. All
	// allows every match of the group, as the Service Mesh Interface specifies. None allows no match, as in Open Service
	// Mesh. Default: All.
	// +optional
	RulesWithoutMatches RulesWithoutMatches `json:"rulesWithoutMatches,omitempty"`

	// inboundExternalAuthorization sends each inbound HTTP request to an external server for authorization.
	// +optional
	InboundExternalAuthorization ExternalAuthorizationSpec `json:"inboundExternalAuthorization,omitzero"`
}

// RulesWithoutMatches selects what a rule without matches allows.
// +kubebuilder:validation:Enum=All;None
type RulesWithoutMatches string

const (
	// RulesWithoutMatchesAll allows all matches of the group.
	RulesWithoutMatchesAll RulesWithoutMatches = "All"
	// RulesWithoutMatchesNone allows nothing.
	RulesWithoutMatchesNone RulesWithoutMatches = "None"
)

// ExternalAuthorizationSpec configures a gRPC server that allows or denies each inbound HTTP request.
type ExternalAuthorizationSpec struct {
	// enable enables external authorization. Default: false.
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

	// statPrefix is the prefix of the Envoy statistics of external authorization. Default: inboundExtAuthz.
	// +optional
	StatPrefix string `json:"statPrefix,omitempty"`

	// timeout is the timeout for the response of the server. Default: 1s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.traffic.inboundExternalAuthorization.timeout \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	Timeout string `json:"timeout,omitempty"`

	// failureModeAllow allows requests when the server is unreachable or times out. Default: false.
	// +optional
	FailureModeAllow bool `json:"failureModeAllow,omitempty"`
}
