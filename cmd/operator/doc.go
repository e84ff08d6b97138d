// Command osm-operator installs and maintains the meshes that Mesh objects declare.
//
// Its input is flags, the images of the control plane in RELATED_IMAGE variables, and the Mesh objects of its cluster. Its
// output is the control planes of those meshes and the status of each Mesh. It serves metrics over HTTPS to authorized callers.
package main
