// Package explain explains whether one workload may call another: by which policy, or what is missing and what would allow it.
//
// A mesh and a question flow in. An answer flows out. Verdicts come from package authz, which also configures the sidecars. A remedy
// is only offered after it was tried on a copy of the mesh.
package explain
