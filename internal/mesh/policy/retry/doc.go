// Package retry is all that the mesh knows about Retries: how they are read, which one is in force, what people are told about one, and what Envoy gets.
//
// It is the pattern of a policy kind that refers to no other. No folder of a kind imports another one.
package retry
