// Package vault has the certificate authority of a mesh signed by the PKI of a Vault.
//
// In flow the address of a Vault, how to authenticate, and a certificate signing request. Out flow the certificate of an intermediate
// authority, its chain and its root. The key never leaves the caller.
package vault
