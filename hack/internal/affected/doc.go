// Package affected finds the packages whose tests a change can affect.
//
// The packages of a module and the names of changed files flow in; folders flow out, sorted. A package is affected if one of its files
// changed, if it imports an affected package, or if its tests import one. A changed test affects its own package only. A file outside all
// packages, such as a page of docs/, affects the packages whose tests name it, or a folder above it, in a relative path.
package affected
