// Package scripts tests the osm command line as a user types it, against a real API server without nodes.
//
// The scripts in testdata flow in; nothing flows out. Each script is a story: the folder empty has those of a cluster without
// a mesh, mesh those of a cluster with one, pods those in which pods answer (from files of the script),
// offline those that need no cluster.
package scripts
