// Command release records the version in the file VERSION: it builds its images from the last commit, and copies the
// current manifests with the digests of those images and the commit.
//
// Input: a checkout without changes. Output: the images, and a new folder below internal/operand/manifests, to be
// committed.
package main
