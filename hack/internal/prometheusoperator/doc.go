// Package prometheusoperator installs a prometheus-operator in the local cluster.
//
// Input: kubectl, and the folder with the definitions of its kinds. Output: a running prometheus-operator, whose servers use the image
// of Prometheus that was built for the cluster.
package prometheusoperator
