package flags

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// InboundConnections is how many inbound connections a sidecar accepts at the same time, of all clients and ports. Any pod can open one
// without a certificate, and each costs memory.
const InboundConnections = 20_000

// InboundConnectionsKey is the runtime key of that limit.
const InboundConnectionsKey = "envoy.resource_limits.listener.inbound-listener.connection_limit"

// Layer is the static runtime layer of a sidecar.
//
// It raises Envoy's limit of 100 instructions for regular expressions, which ordinary path expressions exceed.
//
// It limits inbound connections. Above the limit Envoy closes new ones at once. Other listeners are not affected.
//
// It matches repeated headers as one value, joined by commas. Envoy 1.40 matches each value by default and accepts the request when one of
// them matches. "user: alice" and "user: bob" would be granted because of alice, while the application may read bob.
func Layer() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			InboundConnectionsKey:                                       structpb.NewNumberValue(InboundConnections),
			"re2.max_program_size.error_level":                          structpb.NewNumberValue(1000),
			"envoy.reloadable_features.match_headers_individually":      structpb.NewBoolValue(false),
			"envoy.reloadable_features.rbac_match_headers_individually": structpb.NewBoolValue(false),
		}}},
	}}}
}
