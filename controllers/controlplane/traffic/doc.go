// Package traffic names the SMI kinds that steer traffic, and begins to watch each as soon as the cluster defines it.
//
// Definitions of kinds flow in from the API server; Sources flow out to a Feed. A kind that is not defined holds up
// nothing: the mesh works without it.
package traffic
