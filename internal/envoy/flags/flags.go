// Package flags holds the runtime values that every sidecar must start with, because the policies it is sent rely on them.
//
// Nothing flows in; a layer for Envoy's bootstrap flows out, to the sidecar's bootstrap and to tests that run Envoy.
package flags

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Layer is the static runtime layer of a sidecar.
//
// Regular expressions may be larger than Envoy's limit of 100 instructions, which ordinary path expressions exceed.
//
// A header that comes several times is matched as one value, joined by commas, and so fails an expression for one value.
// By default Envoy 1.40 looks at each value alone and is content with one: a request with "user: alice" and "user: bob"
// would be granted because of alice, and an application may well read bob.
func Layer() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level":                          structpb.NewNumberValue(1000),
			"envoy.reloadable_features.match_headers_individually":      structpb.NewBoolValue(false),
			"envoy.reloadable_features.rbac_match_headers_individually": structpb.NewBoolValue(false),
		}}},
	}}}
}
