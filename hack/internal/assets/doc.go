// Package assets lists the programs and images of the local cluster with their versions, and builds those that are not
// cached.
//
// Input: the folder of this module and the Go module proxy. Output: folders of binaries and image archives.
package assets
