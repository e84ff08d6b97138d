// Command beginversion begins the development of a version, after the one before it was recorded.
//
//	go run ./beginversion v0.3.0
//
// Input: the version, and the checkout. Output: the file VERSION, and the tags of the project's images in config and docs.
// Generated files follow with make manifests.
package main
