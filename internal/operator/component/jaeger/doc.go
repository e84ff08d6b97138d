// Package jaeger runs a Jaeger for a mesh.
//
// A Mesh flows in; a Deployment with its generated configuration and a Service flow out. The Service has the default address of the
// MeshConfig for traces.
package jaeger
