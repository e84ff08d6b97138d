//go:build !faulty_reject && !faulty_unavailable

package envoy

import routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

// withFault returns the routes unchanged. Upgrade tests build the control plane with tags that replace it.
func withFault(routes []*routev3.Route) []*routev3.Route { return routes }
