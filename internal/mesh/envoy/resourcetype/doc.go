// Package resourcetype lists the types of xDS resources that a mesh uses.
//
// A type URL flows in; its type flows out, with the order in which types are sent.
package resourcetype
