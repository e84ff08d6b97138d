// Package values translates values of OSM's Helm chart into fields of the Mesh and the MeshConfig.
//
// The arguments of --set flow in. A declaration flows out, or an error with the alternative. A value without an equivalent field is always
// an error.
package values
