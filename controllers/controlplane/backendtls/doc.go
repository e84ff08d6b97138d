// Package backendtls reads the ConfigMaps with which sidecars verify servers outside the mesh, and writes the status of BackendTLSPolicies.
//
// BackendTLSPolicies, Egresses, namespaces and ConfigMaps flow in. The contents of ConfigMaps flow out to the control plane, in every replica, and
// status from the one that has the Lease.
package backendtls
