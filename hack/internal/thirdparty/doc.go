// Package thirdparty installs programs with kinds of their own in the local cluster, for end-to-end tests and the demo: cert-manager with its
// approver-policy, Vault, Flux, the Operator Lifecycle Manager, Argo Rollouts, OpenKruise,
// a metrics-server and a prometheus-operator.
//
// Kubectl and the folder with the definitions of a program's kinds flow in; running Deployments flow out. Their images must be loaded. Some
// may do everything in the cluster, and Vault has a known token and stores everything in memory, which is acceptable only in a test cluster.
package thirdparty
