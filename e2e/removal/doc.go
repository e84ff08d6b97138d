// Package removal removes meshes on a real cluster: with sidecars taken out under load, and in orders in which nobody should, but somebody
// will.
//
// In flow a cluster with the operator; out flow counted requests, and what is left when a mesh is gone.
package removal
