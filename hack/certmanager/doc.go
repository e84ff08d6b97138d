// Command cert-manager is the controller, the CA injector and the webhook of cert-manager in one program, for end-to-end tests.
//
// Input: the name of one component, and the cluster of the pod. Output: that component, with the in-tree issuers CA, self-signed and
// Vault and the built-in approver. The module path is below that of cert-manager, because two packages are internal to it.
package main
