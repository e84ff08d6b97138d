// Package resource holds xDS resources that are marshalled once, addressed by a hash of their content and shared by all streams.
//
// Messages built by package envoy flow in. Immutable contents, their wire versions and their encoded bytes flow out. An Interner
// makes equal contents the same pointer, so two resources differ exactly when their pointers differ.
package resource
