// Package scope decides what one kind of sidecar must know.
//
// A catalog view and a key (identity, services it backs, proxy class) flow in; a Scope, the plain description of that
// sidecar's configuration, flows out to envoy. Proxies with equal keys share one scope, so nothing in a scope may depend on
// a single pod.
package scope
