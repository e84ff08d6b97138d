// Package builtin lists the components of every mesh.
//
// Nothing flows in; the list flows out. A new component is one import and one line here.
package builtin
