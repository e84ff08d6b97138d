// Command osm-operator installs and keeps meshes: it acts on Mesh objects.
//
// In flow flags, the images of the control plane in RELATED_IMAGE variables, and the Meshes of the cluster it runs in; out flow the
// control planes of those meshes and the status of each Mesh. Metrics are served over HTTPS to callers that may read them.
package main
