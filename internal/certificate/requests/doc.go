// Package requests has the certificates of workloads issued by cert-manager.
//
// In flow certificate signing requests, out flow certificates. Each is one CertificateRequest in the namespace of the mesh, which is deleted
// after use. Private keys never flow here.
package requests
