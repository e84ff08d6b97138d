// Package tool builds the pinned developer tools.
//
// Input: the name of a folder of hack/tools. Output: the path of the program that its go.mod pins. It is built once per
// version and kept in the cache folder.
package tool
