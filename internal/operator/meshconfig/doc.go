// Package meshconfig keeps the MeshConfig of a mesh.
//
// In flow a Mesh and its live MeshConfig; out flow the MeshConfig with presets when it does not exist, the fields that the Mesh decides,
// and the fields that are not acted on. Every other field belongs to users. While a mesh is removed, an annotation of the MeshConfig
// carries the teardown mode to its control planes.
package meshconfig
