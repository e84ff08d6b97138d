// Package mesh brings a Mesh to its declared state: it reconciles Meshes.
//
// In flow a Mesh, the namespaces that carry its label, and the live objects that belong to it; out flow its namespace, definitions,
// certificate authority, MeshConfig, trust, Services, MeshRevision and webhooks, and one status.
//
// A reconciliation is a script: named phases that run in order over one scope, each of which brings one part to its state or says
// what is missing. Phases decide from what they observe, never from what an earlier run wrote into the status. Nothing is written
// when nothing differs. Deletion is a second script, which waits until no sidecar is left.
package mesh
