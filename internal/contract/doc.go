// Package contract says which versions work together: a control plane, what the sidecars that it serves were started from, and the
// minor version of their Envoy.
//
// Nothing flows in; the table of all recorded versions and this one flows out, as data, with the two questions that are asked of it:
// may a mesh step from one version to another (asked by the operator), and may a sidecar be served (asked by the control plane).
package contract
