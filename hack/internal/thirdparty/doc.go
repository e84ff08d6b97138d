// Package thirdparty installs controllers with kinds of their own in the local cluster: Flux, the Operator Lifecycle Manager and a prometheus-operator.
//
// Kubectl and the folder with the definitions of a controller's kinds flow in; running Deployments flow out. Their images must be loaded.
package thirdparty
