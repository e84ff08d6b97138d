// Package denials stores what policies denied: which client, at which destination, how often, when and why.
//
// Denials flow in from the xDS server, each with the sidecar that reported it. Sums by client, destination and reason flow out to the report API and
// to metrics. A sidecar can only report about itself: that its own application was denied, or that it denied a client.
package denials
