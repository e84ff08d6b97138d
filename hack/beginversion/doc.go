// Command beginversion begins the development of a version, after the one before it was recorded.
//
//	go run ./beginversion v0.3.0
//
// Input: the version, and the checkout. Output: the file VERSION, the tags of the project's images in config and docs, and in docs the
// versions that pages print and set, and the names of revisions. The example of an upgrade in docs/plan.md is edited by hand.
// Generated files follow with make manifests.
package main
