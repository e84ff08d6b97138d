// Package admission carries the rules that the API server itself checks about the mesh's objects, so that they
// hold while no part of the mesh runs.
//
// In flow the YAML files beside it, written by hand; out flow the same bytes, for programs and tests that install
// them. config/default installs them for everybody else.
package admission
