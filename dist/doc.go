// Package dist holds what users install.
//
// Nothing flows in; the rendered manifests of the operator flow out, for the command line to apply.
package dist
