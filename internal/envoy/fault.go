//go:build !faulty_reject && !faulty_unavailable

package envoy

import routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

// withFault changes nothing. Tests of upgrades build the control plane with tags that put something else in its place.
func withFault(routes []*routev3.Route) []*routev3.Route { return routes }
