// Package lab operates a real cluster as a user would. It starts the local cluster, loads images, applies manifests
// with kubectl, waits for conditions and connects to pods.
//
// Input: commands and conditions. Output: the state and responses of the cluster. The demo and the end-to-end tests use
// it.
package lab
