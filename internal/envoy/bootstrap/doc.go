// Package bootstrap renders the files that a sidecar's Envoy starts from.
//
// A Config flows in: what the injector knew when the pod was admitted, and what the pod learned about itself when it
// started. The files bootstrap.yaml, sds-token.yaml and sds-trust.yaml flow out, the same bytes for the same Config.
//
// Changing these files means restarting every pod of a mesh, so they hold everything that xDS cannot deliver and that
// differs by pod: the way to the control plane, the health probes of the application, and the sidecar's own readiness.
package bootstrap
