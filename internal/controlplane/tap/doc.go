// Package tap decides which sidecars log every request, in a mesh that logs a share of them.
//
// Changes of pods flow through, with the time until which somebody wants to see all requests of a pod. A pod is tapped from the change with that time until the
// time has come, or another change takes it back. Nothing else is kept of a pod.
package tap
