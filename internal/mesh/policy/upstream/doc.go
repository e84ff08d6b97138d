// Package upstream is all that the mesh knows about UpstreamTrafficSettings and Backpressures: how they are read, which one is in force for a Service, and what
// people are told about one. Limits, ejection and health checks are parts of clusters, listeners and routes, in package envoy.
//
// No folder of a kind imports another one.
package upstream
