// Package crdreference writes the field reference of CustomResourceDefinitions.
//
// The YAML of a CustomResourceDefinition flows in. One Markdown page for its kind flows out: its names and versions, and a row for each
// field of the schema. Descriptions and defaults come from the schema, so the pages cannot differ from what the API server enforces.
package crdreference
