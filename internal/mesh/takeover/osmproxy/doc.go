// Package osmproxy reads the identity of a sidecar of Open Service Mesh v1.2 from the client certificate of its bootstrap.
//
// Certificates, roots and a trust domain flow in; the UUID and the service account of a sidecar flow out, or why it has none. All functions are pure.
package osmproxy
