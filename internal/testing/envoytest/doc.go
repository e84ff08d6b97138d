// Package envoytest runs the real Envoy in tests: to validate resources, many sets in one run, and to serve with them.
//
// Resources flow in; Envoy's verdict, or a running Envoy, flows out. The path of the binary is in the environment variable
// ENVOY_BIN, that of the minor version before in EARLIER_ENVOY_BIN: a test that needs one fails without it.
package envoytest
