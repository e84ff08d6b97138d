// Package describe describes one pod of a mesh: who may call it, whom it may call, and which policies have a part in that.
//
// The mesh and the name of a pod flow in; a Description flows out. It is derived from the same configuration that the pod's sidecar gets.
package describe
