// Package entity names what the mesh has: objects by kind, namespace and name, instances of workloads by an identifier, and the data that something was
// built from.
//
// In: nothing. Out: the words that the inventory, the catalog and all policies share.
package entity
