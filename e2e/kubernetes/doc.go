// Package kubernetes tests the mesh on other clusters than the one of all other tests: the oldest version of Kubernetes, kubelets that are older than the
// API server, an upgrade of Kubernetes under traffic, kube-proxy with iptables, and pods without IPv4. Each test starts a local cluster and removes it.
//
// Input: the local cluster tool, which builds the versions. Output: counted requests, and the results of the user journeys on each version.
package kubernetes
