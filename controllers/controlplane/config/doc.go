// Package config watches the MeshConfig of the mesh.
//
// Its input is the MeshConfig object. Its output is catalog settings for the Feed, and the object itself for settings
// outside xDS, such as the lifetime of certificates and the log level.
package config
