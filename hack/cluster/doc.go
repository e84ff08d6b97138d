// Command cluster runs a one-node Kubernetes cluster on a Debian machine, for development and tests.
//
// Input: commands (up, down, status, check, load, load-version, cert-manager, api-server, env, kubeconfig, assets). Output: a running
// cluster, and the settings that shells and tests need to use it. `down` removes everything that `up` created.
package main
