// Package identity names workloads: a service account of a namespace, and the principals its certificate carries.
//
// Namespaces, service account names and verified tokens flow in; workload identities flow out.
package identity
