// Package images lists the images that a mesh can need, for clusters without access to public registries.
//
// The embedded manifest of the operator and the recorded versions flow in. A list of references flows out, each with its place in a
// mirror and with the variable or field that replaces it.
package images
