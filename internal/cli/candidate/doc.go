// Package candidate reads certificate authorities that a mesh does not use yet, to check them before they are declared.
//
// In flow manifests, references of issuers of cert-manager, or certificates in PEM. Out flow the certificates that would issue, as far as they
// are known, and why the authority could not be used at all.
package candidate
