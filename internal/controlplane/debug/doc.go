// Package debug serves debug pages of a controller replica, for users who may forward a port to its pod.
//
// State of the control plane flows in through Sources. JSON and pprof profiles flow out, on the loopback address only: pods cannot reach
// it, and the API server authorizes kubectl port-forward. The server is off until the MeshConfig enables it.
package debug
