// Package entrypoint is the frame of the programs of this module.
//
// A name and a function flow in; its error on standard error, and the exit code, flow out.
package entrypoint
