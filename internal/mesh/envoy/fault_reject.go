//go:build faulty_reject

package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// withFault adds a route that every Envoy rejects: it configures a filter that does not exist.
func withFault(routes []*routev3.Route) []*routev3.Route {
	bad := &routev3.Route{Match: anyRequest(), Action: noBackendResponse()}
	bad.TypedPerFilterConfig = map[string]*anypb.Any{"faulty": {TypeUrl: "type.googleapis.com/openservicemesh.Faulty"}}
	return append(routes, bad)
}
