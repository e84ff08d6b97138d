// Package envoy translates a scope into the configuration of one kind of sidecar.
//
// A scope.Scope (or the endpoints of one cluster, a certificate, a root) flows in; Envoy resources, ready to be marshalled
// and shared between proxies, flow out. Everything here is pure: equal input gives equal output, in the same order. Who may
// do what is decided before; this package only says it in Envoy's words. The names are those of Open Service Mesh.
//
// The shape of the listeners, and what was tried with the real Envoy to choose it, is described in docs/envoy-listeners.md.
package envoy
