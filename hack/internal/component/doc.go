// Package component says how each program of the cluster is run: its arguments and its configuration file.
//
// In: the folders of the state and of the built programs, and the address plan. Out: process specifications and rendered files.
// Nothing is started here.
package component
