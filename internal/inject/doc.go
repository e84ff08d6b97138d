// Package inject decides which pods get a sidecar and adds it to them.
//
// A pod, the labels and annotations of its namespace and the settings of the mesh flow in. The pod with its sidecar flows
// out, or the sentence why it is refused, or the reason why it stays as it is. Nothing here talks to a cluster.
package inject
