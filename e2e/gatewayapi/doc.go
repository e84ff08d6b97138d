// Package gatewayapi runs the conformance suite of the Gateway API for meshes and gateways, unmodified, on the local cluster: its core, or in
// `make test-full` all features that the mesh supports.
//
// The module of the suite in e2e/conformance flows in. The report of the suite in bin/conformance flows out.
package gatewayapi
