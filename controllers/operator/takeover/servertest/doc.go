// Package servertest tests takeovers, and installations after a removed Open Service Mesh, against a real API server.
//
// The objects of an installation of OSM flow in, and a Mesh of the same name. The tests follow what the operator takes over, rejects
// and leaves, with the permissions of its role.
package servertest
