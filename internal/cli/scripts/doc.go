// Package scripts tests the osm command line end to end against a real API server without nodes.
//
// The scripts in testdata flow in. Nothing flows out. Directory empty has scripts for a cluster without a mesh, mesh for a cluster with a
// mesh, and offline for commands without a cluster. Directory pods has scripts for pods whose responses come from files of the script.
package scripts
