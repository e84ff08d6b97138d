// Package debug serves pages about the inside of a control plane's replica, for whoever may forward a port to its pod.
//
// What the parts of the control plane know flows in through Sources; JSON and Go's profiles flow out, on the loopback address
// alone: no pod can reach it, and the API server decides who may use kubectl port-forward. It is off until the MeshConfig turns it on.
package debug
