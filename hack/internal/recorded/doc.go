// Package recorded builds the images of a recorded version from the commit it was released from.
//
// Input: the manifests of the version, their files COMMIT and IMAGES, and the history of the checkout. Output: image
// archives for Linux on amd64 in the cache, and the references to load them under.
package recorded
