// Package podinit is osm-init: it prepares a pod for its sidecar.
//
// The injector's document, as an argument, and the pod's names and addresses, as environment variables, flow in. The
// sidecar's bootstrap files and the redirection of the pod's traffic flow out. It is idempotent.
package podinit
