// Package fakexds imitates an Envoy as a client of delta discovery, for tests and benchmarks.
//
// Discovery responses flow in; requests flow out, as Envoy would send them. Envoy is a pure model that also tells when its
// configuration refers to something it does not hold; Client runs a model, or a cheaper one that follows nothing, over a real
// connection.
package fakexds
