// Package compare compares two meshes: which sidecars would be reconfigured, and which flows would be newly denied or allowed.
//
// Two catalogs and their differences flow in. Changes flow out. The packages that configure sidecars (scope, envoy) and decide flows
// (authz) process both meshes. The results are compared by content.
package compare
