// Package identity defines workload identities: a service account of a namespace, and the names in its certificate.
//
// Namespaces and service account names flow in; principals (DNS names) and SPIFFE IDs flow out.
package identity
