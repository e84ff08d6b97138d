// Package ingest turns Kubernetes objects into catalog entries.
//
// One object flows in; its entry, or nothing when the object says nothing to the mesh, and the problems with it flow out.
// Every function is pure, so that reconcilers, admission and the offline command line judge an object alike. SMI objects are
// read unstructured and one by one: a malformed object is a problem of its own and never one of its neighbours.
package ingest
