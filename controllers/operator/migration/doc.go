// Package migration tests the way from an Open Service Mesh to this operator against a real API server.
//
// The objects of an installation of OSM flow in, and a Mesh of the same name. The tests follow what the operator adopts, rejects
// and leaves, with the permissions of its role.
package migration
