// Package launch runs Envoy in the two slots of a pod whose sidecar is upgraded in place.
//
// The state that both launchers share, in a volume of the slots only, and the Envoy of the own image flow in. One running Envoy that serves, one that drains,
// or none flow out. It imports little, because an idle launcher has to be small.
package launch
