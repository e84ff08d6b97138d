// Package controlplane is osm-controller, the control plane of one mesh.
package controlplane
