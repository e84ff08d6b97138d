// Package leftovers tests a new mesh next to workloads of Open Service Mesh, and two meshes in one cluster.
//
// Input: OSM's leftovers with pods that have OSM sidecars, and a Mesh that takes them over. The tests check that the pods
// are restarted and that existing policies stay in force, with mixed and with new sidecars. With two meshes they check
// that neither accepts workloads of the other, and that each survives the removal of the other.
package leftovers
