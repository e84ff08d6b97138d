// Package compatibility defines which versions work together: the control plane, the bootstrap of the sidecars that it serves, and the
// minor version of their Envoy.
//
// Nothing flows in. The table of all recorded versions and the current one flows out. The operator uses it to check an upgrade. The
// control plane uses it to check whether it can serve a sidecar.
package compatibility
