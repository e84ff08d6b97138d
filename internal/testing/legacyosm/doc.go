// Package legacyosm provides the objects that an installation of Open Service Mesh v1.2 leaves in a cluster, for tests of adoption.
//
// Its input is the names of a mesh and its namespace. Its output is manifests of OSM's CustomResourceDefinitions, of the objects
// that OSM created, and of its users' objects. They are written by hand from the documented API.
package legacyosm
