// Package plan compares two meshes: which sidecars would be configured anew when one becomes the other, by how much, and which flows
// would be newly denied or newly allowed.
//
// Both meshes, as catalogs, and what leads from one to the other flow in; Changes flow out. Both go through the packages that
// configure the sidecars (scope, envoy) and that judge flows (authz), and what comes out of them is compared by content.
package plan
