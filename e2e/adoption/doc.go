// Package adoption tries on a real cluster what lives before a mesh, and beside it.
//
// What an Open Service Mesh leaves, with pods whose sidecars it made, flows in, and a Mesh over it; out flows whether those pods are
// restarted, and may do what the policies from before say, with sidecars of both kinds and with new ones alone. And two meshes flow
// in; out flows whether either lets a workload of the other in, and outlives it.
package adoption
