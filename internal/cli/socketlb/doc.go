// Package socketlb detects networks that replace the address of a Service by that of a pod when an application connects.
//
// A reader of the cluster flows in; the settings that enable the replacement flow out, with their remedies. In such a network a sidecar never sees
// the address of a Service, so it cannot apply policies. osm-init proves the same in each pod.
package socketlb
