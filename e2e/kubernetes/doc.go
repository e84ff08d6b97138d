// Package kubernetes tests the mesh on other versions of Kubernetes than the one of all other tests: the oldest, kubelets that are older than the API
// server, and an upgrade of Kubernetes under traffic. Each test starts a local cluster of its own and removes it.
//
// Input: the local cluster tool, which builds the versions. Output: counted requests, and the results of the user journeys on each version.
package kubernetes
