// Package steps takes a mesh over from an Open Service Mesh for a user at a terminal, step by step, or goes back.
//
// The answers of the user and the status of a Mesh flow in; steps of the spec flow out, and messages about what is in effect. The operator does the rest, so a
// command can be interrupted and repeated.
package steps
