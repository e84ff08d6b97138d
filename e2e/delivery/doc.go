// Package delivery tests the ways to install the operator other than kubectl on a real cluster: the Operator Lifecycle Manager, Helm, Argo CD and Flux.
//
// Input: a cluster with the operator installed by kubectl, and a mesh with traffic. Output: counted requests while another way takes over.
package delivery
