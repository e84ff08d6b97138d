// Package fakexds imitates an Envoy as a client of delta xDS, for tests and benchmarks.
//
// Its input is discovery responses. Its output is the requests that Envoy would send. Envoy is a model without I/O that also
// reports references to missing resources. Run connects the model to a server.
package fakexds
