// Package webhook serves the mutating admission webhook for pods.
//
// Its input is admission reviews over HTTPS, and the namespaces, MeshConfig and trust bundle that a Cluster provides. Its
// output is JSON patches and denials, and the trust ConfigMap in namespaces that lack it.
package webhook
