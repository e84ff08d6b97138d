// Package traffic names the kinds that steer traffic, those of SMI and OSM's own, and begins to watch each as soon as the
// cluster defines it.
//
// Definitions of kinds flow in from the API server; Sources flow out to a Feed. A kind that is not defined holds up
// nothing: the mesh works without it.
package traffic
