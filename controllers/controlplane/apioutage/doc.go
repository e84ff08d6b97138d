// Package apioutage tests the control plane while a real API server is unavailable, and after its return.
//
// Objects of a small mesh pass through the feed, store and xDS server of the control plane to fake sidecars with tokens of
// the API server. The tests check the responses that the sidecars receive.
package apioutage
