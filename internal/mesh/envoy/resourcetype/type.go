package resourcetype

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// Type is an xDS resource type. Constants are in push order: a resource comes before the resources that refer to it.
type Type uint8

// The resource types that sidecars subscribe to.
const (
	Secrets Type = iota
	Extensions
	Clusters
	Endpoints
	Listeners
	Routes
	// NumTypes is the number of types. An array of this size can be indexed by Type.
	NumTypes
)

var types = [NumTypes]struct{ url, service string }{
	Secrets:    {envoy.SecretType, "SDS"},
	Extensions: {envoy.ExtensionType, "ECDS"},
	Clusters:   {envoy.ClusterType, "CDS"},
	Endpoints:  {envoy.EndpointType, "EDS"},
	Listeners:  {envoy.ListenerType, "LDS"},
	Routes:     {envoy.RouteType, "RDS"},
}

// AllTypes returns every Type in push order.
func AllTypes() []Type { return []Type{Secrets, Extensions, Clusters, Endpoints, Listeners, Routes} }

// URL returns the type URL used on the wire.
func (t Type) URL() string { return types[t].url }

// String returns the name of the discovery service of the type: CDS, EDS, LDS, RDS, SDS or ECDS.
func (t Type) String() string { return types[t].service }

// IsWildcard reports whether a client may subscribe to all resources of the type. The xDS protocol allows it for clusters and
// listeners.
func (t Type) IsWildcard() bool { return t == Clusters || t == Listeners }

// ParseType returns the Type of a type URL.
func ParseType(url string) (Type, error) {
	for t := range NumTypes {
		if types[t].url == url {
			return t, nil
		}
	}
	return 0, fmt.Errorf("resource type %.100q is not supported: sidecars are configured by CDS, EDS, LDS, RDS, SDS and ECDS", url)
}
