// Package sidecartable shows parts of a sidecar's configuration as tables.
//
// Answers of Envoy's admin interface, as JSON, flow in. Tables flow out.
package sidecartable
