// Package fields finds fields of objects in files that their kind does not have, such as misspelt ones.
//
// The definitions of the project's kinds and the objects flow in. The paths of unknown fields flow out, with the known fields there. Kinds
// without a definition have no unknown fields.
package fields
