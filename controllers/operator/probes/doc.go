// Package probes answers the kubelet about a replica of the operator: whether its watches have all objects, and whether it still reconciles meshes.
//
// Its input is the election, the caches of the controllers, and the time of the last reconciliation. Its output is HTTP: /readyz and /healthz.
package probes
