// Package cli is the osm command line: a client of the Mesh object, never a second installer.
//
// Arguments flow in; what was found flows out on the standard output, notes and errors on the standard error, and an exit
// code. Each command has a file; what needs no cluster lives in packages below this one.
package cli
