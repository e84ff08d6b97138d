// Package certmanager delegates the certificate authority of a mesh to cert-manager.
//
// In flow the mesh's name, namespace, issuer and kind of key. Out flows a Certificate of an intermediate authority, which cert-manager
// issues and renews, and the authority in the Secret that cert-manager writes. Package certificate signs with it.
package certmanager
