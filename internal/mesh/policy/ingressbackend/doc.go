// Package ingressbackend is all that the mesh knows about IngressBackends: how they are read, which one is in force for a port, whom it admits, and what people
// are told about one. The filter chains for these clients are among those of the listener for inbound connections, in package envoy.
//
// No folder of a kind imports another one.
package ingressbackend
