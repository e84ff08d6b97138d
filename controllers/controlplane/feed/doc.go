// Package feed feeds the objects of the API server into the catalog of the running mesh.
//
// Its input is watch events. Its output is catalog changes, converted by package ingest, for a Sink, and metrics about the
// watches. Package kinds defines the watched kinds. The only decision made here is whether a list without any objects must be
// confirmed.
package feed
