// Package observe reads the state that several controllers of a Mesh decide from: its mode, its desired state, the namespaces,
// revisions and certificates that exist, and whether another mesh claims its namespace.
//
// In flow a Mesh and the caches of the manager; out flow values. The package writes nothing. Controllers are ordered by what they
// observe here, never by calling each other.
package observe
