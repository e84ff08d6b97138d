// Package trust distributes the root certificate of a mesh to its namespaces.
//
// In flow a Mesh, its certificate authority, and the namespaces that carry its label; out flow one ConfigMap for each namespace, and the
// condition TrustDistributed. A namespace that rejects its ConfigMap is reported, and the others proceed. Trust is kept also while the
// Mesh is paused, planned or stalled.
package trust
