//go:build faulty_unavailable

package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// faultyShare is the percentage of requests that are not forwarded.
const faultyShare = 10

// withFault answers a share of all requests with 503. Envoy accepts the configuration.
func withFault(routes []*routev3.Route) []*routev3.Route {
	some := anyRequest()
	some.RuntimeFraction = &corev3.RuntimeFractionalPercent{
		DefaultValue: &typev3.FractionalPercent{Numerator: faultyShare, Denominator: typev3.FractionalPercent_HUNDRED},
	}
	return append([]*routev3.Route{{Match: some, Action: noBackendResponse()}}, routes...)
}
