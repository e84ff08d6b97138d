// Package leavings holds what an installation of Open Service Mesh v1.2 leaves in a cluster, for tests of taking it over.
//
// The name of a mesh and its namespace flow in; manifests flow out: OSM's definitions of kinds as it wrote them, the objects that its
// programs made, and those that users made for it. They are written by hand from the documented facts of its API.
package leavings
