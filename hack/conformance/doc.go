// Command conformance prepares the conformance suite of the Gateway API, and runs it in the cluster of KUBECONFIG.
//
// The suite's module and its manifests flow in. The archives of the images that they name, or the results of the tests with a report, flow out.
package main
