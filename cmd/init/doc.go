// Command init is osm-init, the init container that runs in every pod of a mesh before its sidecar.
//
// The injector's document and the pod's own names and addresses flow in, as an argument and as environment variables.
// The sidecar's bootstrap files and the redirection of the pod's traffic flow out. Running it again is harmless.
package main
