// Package mesh invents the meshes that the benchmark measures, and works out what each change of them must send to whom.
//
// A mode and a number of sidecars flow in; catalog entries, changes, and for each kind of sidecar the resources that a change
// adds or replaces flow out. All of it is a function of its input, so that processes which do the same steps agree.
package mesh
