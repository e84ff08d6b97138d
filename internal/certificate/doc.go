// Package certificate issues and renews the certificates of a mesh.
//
// A root certificate with its key, workload identities and a validity flow in; leaf certificates with their keys, kept in
// memory only, the trust bundle and the events of their renewal flow out. Nothing here talks to Kubernetes: the root comes as
// PEM or from a directory in which a Secret is mounted.
package certificate
