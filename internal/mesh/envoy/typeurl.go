package envoy

import "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

// Type URLs of the resources that the control plane serves.
const (
	ClusterType   = resource.ClusterType
	EndpointType  = resource.EndpointType
	ListenerType  = resource.ListenerType
	RouteType     = resource.RouteType
	SecretType    = resource.SecretType
	ExtensionType = resource.ExtensionConfigType
)
