// Package gateway resolves the Gateways and HTTPRoutes of a mesh: which listener receives which requests, and what is wrong.
//
// A view of the catalog flows in. Listeners with their routes, in order of precedence, flow out for the configuration of the ingress gateway,
// and conditions flow out for the status of Gateways and HTTPRoutes. Both come from one result, so they agree.
package gateway
