// Package certs makes the cluster's authorities, its certificates and the kubeconfigs that use them.
//
// In: the addresses that certificates are valid for. Out: files in one folder; made anew for every cluster, valid for a year.
package certs
