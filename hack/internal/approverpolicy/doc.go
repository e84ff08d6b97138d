// Package approverpolicy installs approver-policy, the policy approver of the cert-manager project, in the local cluster.
//
// Input: kubectl, the folder with the definitions of its kinds, and a cluster with cert-manager. Output: approver-policy, which decides about
// CertificateRequests instead of the approver of cert-manager.
package approverpolicy
