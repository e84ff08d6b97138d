// Package chart renders the operator as a Helm chart.
//
// The manifests of the operator and the files in config/helm flow in. The files of the chart flow out. With its default values, the chart
// installs the same objects as the manifests, in the namespace of the release.
package chart
