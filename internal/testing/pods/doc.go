// Package pods runs pods with real sidecars in network namespaces, without a cluster.
//
// Its input is scopes and endpoints. Its output is pods whose Envoys receive that configuration over ADS, and whose traffic is
// redirected by package redirect. Tests serve and call from inside the pods, as the applications do. It requires root, the ip
// program and ENVOY_BIN.
package pods
