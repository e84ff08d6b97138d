// Package certificates tests on a real cluster how a mesh changes its certificate authority under load, without a failed request:
// to a new root, to cert-manager, and back.
//
// Input: a cluster with the operator, and cert-manager, which the tests install. Output: counted requests, and the certificates that
// sidecars present.
package certificates
