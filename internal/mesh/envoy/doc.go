// Package envoy translates a scope into xDS resources.
//
// A scope.Scope, the endpoints of a cluster, a certificate or a root flows in. Envoy resources flow out, ready to be
// marshalled and shared between proxies. Every function is pure: equal input gives equal output, in the same order.
// Authorization is decided before, in package authz. Resource names are those of Open Service Mesh.
//
// docs/envoy-listeners.md describes the shape of the listeners and the alternatives that were tried.
package envoy
