// Package flux holds the objects with which Flux applies a mesh from Git.
package flux
