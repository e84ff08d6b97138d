// Package remaining finds sidecars that no control plane configures any more.
//
// Its input is a pod with the mesh of its namespace. Its output is whether its sidecar remained from a mesh that its namespace left, or that was removed.
// Such a sidecar still intercepts the traffic of its pod, with the configuration and the certificate that it received last.
package remaining
