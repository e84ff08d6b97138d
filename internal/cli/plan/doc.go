// Package plan says what an edit of a mesh would do before anybody makes it: which sidecars would be configured anew, by how
// much, and which flows would be newly denied or newly allowed.
//
// The objects of a mesh and an edit flow in; a Plan flows out, and nothing is written. Both meshes are read as a control plane reads
// them, and compared by internal/plan.
package plan
