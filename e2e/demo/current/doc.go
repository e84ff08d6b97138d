// Package current prepares and removes the demo in a cluster that the demo did not create: the current one of the kubeconfig.
//
// Input: a client of the cluster and the user's answer. Output: an error that names what is in the way, or marked objects. Only marked objects are
// removed.
package current
