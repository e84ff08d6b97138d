// Package neighbour checks that invalid objects of one namespace affect no other one.
//
// Its input is objects of all kinds with random invalid values, as the API server could store them while no webhook runs. A real control plane serves a real
// ingress gateway, a client, its server, and a pod of the hostile namespace. Requests of others flow meanwhile, also while the control plane restarts and
// sidecars reconnect. It requires root, the ip program and ENVOY_BIN.
package neighbour
