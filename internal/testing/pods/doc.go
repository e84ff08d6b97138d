// Package pods runs pods with real sidecars in network namespaces, without a cluster.
//
// Scopes and endpoints flow in; pods whose real Envoys are configured by them over ADS, and whose traffic is redirected by
// the project's own rules, flow out. A test plays the applications: it serves and calls from inside the pods. It needs root,
// the ip program and ENVOY_BIN.
package pods
