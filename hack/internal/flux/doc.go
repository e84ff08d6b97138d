// Package flux installs the source and kustomize controllers of Flux in the local cluster.
//
// Their definitions flow in; the two controllers in namespace flux-system flow out.
package flux
