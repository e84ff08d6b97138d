// Package names holds every name, port, label and annotation that users of Open Service Mesh know and rely on.
//
// Nothing flows in; constants and small name builders flow out, to every other package. A name that appears in a user's
// cluster, script or dashboard is written down here once, so that compatibility can be read and tested in one place.
package names
