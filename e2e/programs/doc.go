// Package programs tests programs that the project did not write, unmodified from public registries: outside of the mesh, in a permissive mesh, and in
// a mesh that denies what no policy allows, with the policies that `osm explain` proposes.
//
// Input: a cluster, images of the programs, and a row with manifests, steps and limits for each program. Output: failed operations of the program's own
// client, and protocol errors in the program's own log. docs/applications.md has the results.
package programs
