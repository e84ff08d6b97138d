// Package signing signs files and images with a private key, in the formats of cosign.
//
// Input: a key as `cosign generate-key-pair` writes it, or as plain PKCS #8 in PEM. Output: signatures that
// `cosign verify-blob`, `cosign verify` and `cosign verify-attestation` accept. It uses no transparency log and no
// network.
package signing
