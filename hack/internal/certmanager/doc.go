// Package certmanager installs cert-manager in the local cluster, for end-to-end tests and the demo.
//
// Input: the definitions of its kinds, and an image on the node. Output: the running controller, CA injector and webhook. They
// may do everything in the cluster, which is acceptable only in a test cluster.
package certmanager
