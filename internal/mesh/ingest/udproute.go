package ingest

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// UDPRoute validates an SMI UDPRoute (specs.smi-spec.io/v1alpha4). It has no entry, because sidecars do not intercept
// UDP.
func UDPRoute(*unstructured.Unstructured) []Problem {
	var found problems
	found.warn(ReasonNotCaptured, "Sidecars do not intercept UDP, so this UDPRoute is not enforced, and UDP traffic bypasses the mesh: block it with a NetworkPolicy if necessary.")
	return found
}
