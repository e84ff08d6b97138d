// Package creation finds workloads whose pods cannot be created.
//
// Its input is a cluster: the conditions of ReplicaSets, and Events of other workloads. Its output is one failure for each workload that still lacks
// pods, with the sentence of the API server or admission step that rejects them, and what to do.
package creation
