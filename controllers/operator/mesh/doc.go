// Package mesh accepts Meshes and sums up their status.
//
// In flow a Mesh, the cluster around it, and the conditions that the other controllers of the Mesh write; out flow its namespace, the
// definitions of the Service Mesh Interface, its MeshConfig, and the conditions Installed, ConfigurationAccepted, Paused and Ready. A
// reconciliation is a list of named phases over one pass. The other controllers wait until the condition Installed accepts the
// generation of the spec.
package mesh
