// Package layout compares the imports of this module with the tables of docs/architecture.md.
//
// The tables and the source flow in; nothing flows out but test failures. The compiler rejects circles of packages; it cannot
// see an import against the order of the folders, which these tests find.
package layout
