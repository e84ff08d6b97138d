// Package load reads a mesh into a catalog once, for the command line, the demo and tests.
//
// Its input is a cluster, or objects from files. Its output is a catalog and the problems of the objects. The kinds and
// their conversion are those of the running control plane.
package load
