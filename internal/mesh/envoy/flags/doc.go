// Package flags has the Envoy runtime values that the policies of the mesh rely on.
//
// Nothing flows in. A runtime layer flows out, to the sidecar's bootstrap and to tests that run Envoy.
package flags
