// Package workload names the workload of a pod.
//
// A pod flows in; the kind and the name of what manages it flow out. The result is a label of metrics, never proof of an identity.
package workload
