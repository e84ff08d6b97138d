// Package values translates the values of OSM's chart into the fields of a Mesh and a MeshConfig.
//
// What users write after --set flows in; a declaration flows out, or an error that names the field to use. Nothing is passed
// over in silence: a value without a counterpart is refused.
package values
