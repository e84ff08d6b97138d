package inventory

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Protocol is how the mesh handles a Service port. The values are OSM's.
type Protocol string

// Protocols of Service ports.
const (
	ProtocolHTTP           Protocol = "http"
	ProtocolGRPC           Protocol = "grpc"
	ProtocolTCP            Protocol = "tcp"
	ProtocolTCPServerFirst Protocol = "tcp-server-first"
)

// IsHTTP reports whether requests, not only connections, are routed and authorized.
func (p Protocol) IsHTTP() bool { return p == ProtocolHTTP || p == ProtocolGRPC }

// Service is a Kubernetes Service.
type Service struct {
	Name entity.Name
	// ClusterIPs are the virtual addresses; a headless Service has none.
	ClusterIPs []netip.Addr
	// Selector selects the pods behind the Service; empty if its EndpointSlices are handwritten.
	Selector map[string]string
	// Ports are sorted by number.
	Ports []Port
	// AllowedNamespaces are those to which the egress gateway forwards, if this is its Service.
	AllowedNamespaces []string
	// DecodeSlashes overrides that of the namespace; nil does not.
	DecodeSlashes *bool
}

// Ref implements Entry.
func (s *Service) Ref() entity.Ref { return entity.KindService.Ref(s.Name) }

// Deps implements Entry.
func (s *Service) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepService.Of(s.Name), entity.DepNamespaceServices.In(s.Name.Namespace))
}

// Headless reports whether clients connect to the pods' own addresses.
func (s *Service) Headless() bool { return len(s.ClusterIPs) == 0 }

// Port is one port of a Service.
type Port struct {
	Name   string
	Number uint16
	// TargetPort is the container's port; 0 when TargetName names it instead.
	TargetPort uint16
	TargetName string
	Protocol   Protocol
	// TLS is true if the application itself uses TLS, inside that of the mesh. Its protocol is ProtocolTCP.
	TLS bool
	// HTTP2 is true if the application has HTTP/2 without TLS, and maybe nothing else. Its protocol is ProtocolHTTP or ProtocolGRPC.
	HTTP2 bool
	// Assumed is true if neither an appProtocol nor the name of the port declares its protocol, which then is ProtocolHTTP.
	Assumed bool
}

// HasSelector is false for a Service whose EndpointSlices are handwritten.
func (s *Service) HasSelector() bool { return len(s.Selector) > 0 }

// Selects reports whether the selector matches the pod. A Service without a selector selects nothing.
func (s *Service) Selects(pod *Instance) bool {
	return s.HasSelector() && !pod.Finished && pod.Name.Namespace == s.Name.Namespace && pod.HasLabels(s.Selector)
}

// NumberDependsOnPod reports whether pods can have different numbers for a port.
func (s *Service) NumberDependsOnPod(port Port) bool { return port.TargetPort == 0 || !s.HasSelector() }
