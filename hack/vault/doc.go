// Command vault is a small Vault for end-to-end tests: the core of HashiCorp Vault with storage in memory, the PKI, and the Kubernetes
// authentication. Its version is the last one under the MPL.
//
// Input: the address to listen on, and the token of the administrator in the variable VAULT_TEST_TOKEN. Output: the HTTP API, without TLS.
// The program that builds it provides the folder sdk, which go.mod names.
package main
