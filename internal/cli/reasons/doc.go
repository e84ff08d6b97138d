// Package reasons documents the reasons in conditions, Events and messages of a mesh.
//
// Nothing flows in. One sentence per reason flows out.
package reasons
