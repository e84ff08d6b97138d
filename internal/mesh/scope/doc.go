// Package scope computes the configuration of one kind of sidecar as plain data.
//
// A catalog view and a key (identity, its Services, proxy class) flow in. A Scope flows out to package envoy. Proxies with
// equal keys share one scope, so a scope must not depend on a single pod.
package scope
