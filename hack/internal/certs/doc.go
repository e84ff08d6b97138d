// Package certs creates the cluster's authorities, certificates and kubeconfigs.
//
// Input: the addresses that certificates are valid for. Output: files in one folder, created for every cluster and
// valid for a year.
package certs
