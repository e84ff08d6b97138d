// Package kinds lists the kinds of Kubernetes objects that a mesh is read from: workloads, policies, the Gateway API and the MeshConfig.
//
// Its input is the name of the mesh. Its output is a Source for each kind: what to watch or list, and how to convert it to a catalog entry. A policy
// kind is one row of a table: other packages derive their lists of kinds from it, or tests compare them with it.
package kinds
