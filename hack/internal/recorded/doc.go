// Package recorded builds the images of a recorded version from the commit it was released from.
//
// Input: the manifests of the version, their COMMIT file, and the history of the checkout. Output: image archives in
// the cache, and the image references of the manifests.
package recorded
