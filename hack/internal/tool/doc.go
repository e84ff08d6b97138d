// Package tool builds the pinned developer's tools.
//
// In: the name of a folder of hack/tools. Out: the path of the program that its go.mod pins, built once for each
// version and kept in the cache folder.
package tool
