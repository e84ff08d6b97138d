// Package plan computes the effect of an edit of a mesh: which sidecars would be reconfigured, and which flows would be newly denied or
// allowed.
//
// The objects of a mesh and an edit flow in. A Plan flows out, and nothing is written. The control plane's own code loads both meshes;
// internal/mesh/compare compares them.
package plan
