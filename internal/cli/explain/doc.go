// Package explain answers who may call whom: by which policy, and when not, what is missing and what would allow it.
//
// A mesh and a question flow in; an answer flows out. Verdicts come from authz, which also configures the sidecars, and what is
// offered as a remedy has been tried on a copy of the mesh first.
package explain
