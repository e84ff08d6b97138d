package snapshot

import "fmt"

// Type is a type of resources. The order of the constants is the order in which a sidecar is sent its resources: what is
// referred to comes before what refers to it.
type Type uint8

// The types of resources that sidecars ask for.
const (
	Secrets Type = iota
	Extensions
	Clusters
	Endpoints
	Listeners
	Routes
	numTypes
)

const typePrefix = "type.googleapis.com/"

var types = [numTypes]struct{ url, short string }{
	Secrets:    {typePrefix + "envoy.extensions.transport_sockets.tls.v3.Secret", "SDS"},
	Extensions: {typePrefix + "envoy.config.core.v3.TypedExtensionConfig", "ECDS"},
	Clusters:   {typePrefix + "envoy.config.cluster.v3.Cluster", "CDS"},
	Endpoints:  {typePrefix + "envoy.config.endpoint.v3.ClusterLoadAssignment", "EDS"},
	Listeners:  {typePrefix + "envoy.config.listener.v3.Listener", "LDS"},
	Routes:     {typePrefix + "envoy.config.route.v3.RouteConfiguration", "RDS"},
}

// AllTypes lists every Type, in sending order.
func AllTypes() []Type { return []Type{Secrets, Extensions, Clusters, Endpoints, Listeners, Routes} }

// URL is the type URL on the wire.
func (t Type) URL() string { return types[t].url }

// String is the name that Envoy gives the discovery service of the type: CDS, EDS, LDS, RDS, SDS or ECDS.
func (t Type) String() string { return types[t].short }

// wildcard says whether a client may ask for all resources of the type.
func (t Type) wildcard() bool { return t == Clusters || t == Listeners }

// Whole says whether a state-of-the-world response of the type must have everything that the client asked for in it.
func (t Type) Whole() bool { return t.wildcard() }

// ParseType is the Type of a type URL.
func ParseType(url string) (Type, error) {
	for t := range numTypes {
		if types[t].url == url {
			return t, nil
		}
	}
	return 0, fmt.Errorf("resource type %.100q is not served: sidecars are configured by CDS, EDS, LDS, RDS, SDS and ECDS", url)
}
