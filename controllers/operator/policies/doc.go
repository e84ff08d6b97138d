// Package policies keeps the admission policies of the operator in the cluster, where its installation could not: OLM rejects
// ValidatingAdmissionPolicies in bundles.
//
// The policies in config/admission and the namespace of the operator flow in; the policies and their bindings flow out. They belong to the
// namespace, so they are deleted with it.
package policies
