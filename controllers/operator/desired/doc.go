// Package desired says what a Mesh asks for, with every default applied.
//
// In flow a Mesh and the version of the operator; out flow plain values and the MeshRevision that the Mesh should have. Pure.
package desired
