// Package fleet imitates many sidecars at a low cost: real connections with TLS and delta xDS, with the subscriptions and ACKs of
// Envoy, but without decoding more of the resources than necessary.
//
// Its input is the resources that each sidecar must receive. Its output is the time of receipt, and the traffic.
package fleet
