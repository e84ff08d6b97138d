// Package ingest converts Kubernetes objects into catalog entries.
//
// One object flows in. Its entry, or nil when it has no effect on the mesh, and the problems with it flow out. Every function
// is pure, so controllers, admission and the offline command line agree on every object.
//
// SMI and OSM objects are decoded one by one from unstructured objects into the Go types of their APIs, so a malformed object is a
// problem of its own and never breaks a list. The problem names the field and the expected type.
// The headers of an HTTPRouteGroup are read without the SDK, whose type accepts one of the two forms in use and keeps only
// one expression per header.
//
// In the OSM kinds, a field with an unusable value of the right type is skipped, and the others apply. Fields where an absent number
// differs from 0 are pointers.
package ingest
