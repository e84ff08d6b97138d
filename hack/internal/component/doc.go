// Package component defines how each program of the cluster runs: its arguments and its configuration file.
//
// Input: the state folder, the folders of the programs, and the address plan. Output: process specifications and
// rendered files. It starts nothing.
package component
