// Package names has every name, port, label and annotation that users of Open Service Mesh rely on.
//
// Nothing flows in; constants and functions that build names flow out. A name that appears in a user's cluster, script or
// dashboard is defined here once, so that compatibility can be reviewed and tested in one place.
package names
