// Package vault installs a Vault in the local cluster, for end-to-end tests.
//
// Input: an image on the node. Output: an unsealed Vault without content, whose token of the administrator is "administrator". It stores
// everything in memory, which is acceptable only in a test cluster.
package vault
