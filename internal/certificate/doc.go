// Package certificate issues and renews the certificates of a mesh.
//
// Its input is a root certificate with its key, workload identities and a lifetime. Its output is certificates with their
// keys, kept in memory only, the trust bundle, and notifications of renewal. It makes no API requests: the root comes
// as PEM or from a mounted Secret, and a Requester has certificates issued by an external issuer.
package certificate
