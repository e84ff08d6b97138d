// Package webhook answers the API server's admission reviews of pods.
//
// Reviews flow in over HTTPS, and what the cluster holds comes from a Cluster: namespaces, the MeshConfig and the trust
// of the mesh. JSON patches and refusals flow out, and the trust ConfigMap into namespaces that lack it.
package webhook
