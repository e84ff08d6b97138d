// Package fleet imitates many sidecars that cost little: real connections with TLS and delta discovery, which ask for what
// Envoy would ask for and acknowledge what they get, without understanding more of it than they must.
//
// What each sidecar must be sent flows in; when it has been sent, and how much it took, flows out.
package fleet
