// Package controlplane feeds the objects of the API server into the catalog of the running mesh.
//
// Its input is watch events. Its output is catalog changes, converted by package ingest, for a Sink. Package kinds defines
// the watched kinds, and package status writes the status of policies. The only decision made
// here is whether a list without any objects must be confirmed.
package controlplane
