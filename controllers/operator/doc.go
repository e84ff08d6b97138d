// Package operator puts the operator together: one manager with the reconcilers of Meshes and MeshRevisions.
//
// In flow a connection to a cluster and the versions that can be installed; out flows a manager that is ready to start. The
// program and the tests use the same one.
package operator
