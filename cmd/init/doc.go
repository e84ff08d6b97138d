// Command init is osm-init, the init container that runs in every pod of a mesh before its sidecar.
//
// Its input is the injector's document, as an argument, and the pod's names and addresses, as environment variables. It
// writes the sidecar's bootstrap files and redirects the pod's traffic. It is idempotent.
package main
