// Package load reads the objects of a mesh into a catalog once.
//
// Its input is objects, from files or from a cluster. Its output is a catalog and the problems of the objects. The kinds and
// their conversion are those of the running control plane.
package load
