// Package envoytest runs the real Envoy in tests, to validate resources or to serve with them.
//
// Its input is resources. Its output is Envoy's validation result or a running Envoy. ENVOY_BIN must hold the path of the
// binary, EARLIER_ENVOY_BIN that of the minor version before, and OLDEST_ENVOY_BIN that of sidecars of Open Service Mesh.
package envoytest
