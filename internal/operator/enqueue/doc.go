// Package enqueue maps events to the Meshes that they concern, for the controllers of Meshes.
//
// In flow events of watched objects; out flow requests, one for each Mesh.
package enqueue
