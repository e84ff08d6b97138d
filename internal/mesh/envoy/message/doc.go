// Package message builds the Envoy messages that a sidecar's bootstrap and its xDS resources share.
//
// Names, addresses and configurations flow in; protobuf messages flow out. All functions are pure.
package message
