package ingest

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// UDPRoute judges an SMI UDPRoute (specs.smi-spec.io/v1alpha4). It has no entry: sidecars do not intercept UDP.
func UDPRoute(*unstructured.Unstructured) []Problem {
	var found problems
	found.warn(ReasonNotCaptured, "Sidecars do not intercept UDP, so this UDPRoute is not enforced, and UDP traffic passes the mesh by: close it with a NetworkPolicy where that matters.")
	return found
}
