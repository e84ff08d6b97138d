// Package ingest converts Kubernetes objects into catalog entries.
//
// One object flows in. Its entry, or nil when it has no effect on the mesh, and the problems with it flow out. Every function
// is pure, so controllers, admission and the offline command line agree on every object.
//
// SMI objects are converted one by one from unstructured objects into the types of smi-sdk-go, so a malformed object is a
// problem of its own and never breaks a list. A type check before the conversion names the field and the expected value.
// The headers of an HTTPRouteGroup are read without the SDK, whose type accepts one of the two forms in use and keeps only
// one expression per header.
//
// The OSM kinds are read field by field: a field that is not usable is skipped, and the others apply. An absent number differs from 0,
// which the types in api/policy do not express.
package ingest
