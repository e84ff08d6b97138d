// Package cli implements the osm command line. It is a client of the Mesh object and installs nothing by itself except the operator.
//
// Arguments flow in. Data flows out on standard output, notes and errors on standard error, with an exit code. Each command is one
// file. Code that needs no cluster is in packages below this one.
package cli
