// Package drain delays the end of a gateway until its requests have ended.
//
// A signal and the statistics of the Envoy in the same pod flow in. Requests to its admin interface flow out.
package drain
