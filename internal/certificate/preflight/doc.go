// Package preflight finds out which certificates peers would reject if another authority issued them.
//
// In flow the certificates of the candidate, from the issuing one to its root, and the sidecars and webhooks of a mesh. Out flows a sentence
// for each of them that would break. No key of the candidate is needed, so an issuer outside the cluster can be checked too.
package preflight
