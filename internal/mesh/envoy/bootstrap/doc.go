// Package bootstrap renders the files that a sidecar's Envoy starts from.
//
// A Config flows in: the injector's settings and what osm-init reads from the pod. The files bootstrap.yaml, sds-token.yaml
// and sds-trust.yaml flow out; equal Configs give equal bytes.
//
// A change of these files requires a restart of every pod of a mesh. They hold what xDS cannot deliver and what differs by
// pod: the connection to the control plane, the health probes of the application and the sidecar's readiness.
package bootstrap
