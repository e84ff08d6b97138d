// Command cluster runs a real one-node Kubernetes on a Debian machine, for development and tests, and removes it without a trace.
//
// In: commands (up, down, status, load, api-server, env, kubeconfig, assets). Out: a cluster, and what shells and tests need to use it.
package main
