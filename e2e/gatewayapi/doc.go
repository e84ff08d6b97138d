// Package gatewayapi runs the conformance suite of the Gateway API for meshes, unmodified, on the local cluster.
//
// The module of the suite in e2e/conformance flows in. The report of the suite in bin/conformance flows out.
package gatewayapi
