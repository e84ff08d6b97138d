// Package connectivity verifies that one pod reaches another one, or a host outside the mesh: by the policies, and by what both
// sidecars hold.
//
// A mesh, two pods, and what their sidecars say about themselves flow in; a tree of checks flows out, each Success, Failure or
// Unknown, with what to do. The verdict comes from authz by way of explain, and what a sidecar should hold from the code that
// configures it.
package connectivity
