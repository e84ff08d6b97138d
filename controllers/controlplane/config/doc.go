// Package config carries the MeshConfig of a mesh to whoever acts on it.
//
// The one MeshConfig object flows in; catalog settings flow out to the Feed, and the object itself to a listener for what
// does not travel over xDS, such as the life of certificates and the log level.
package config
