// Package recorded builds the images of a version that was written down before, from the commit that it was made from.
//
// In flow the manifests of the version, the file COMMIT beside them, and the history of the checkout; out flow archives of its
// images, kept in the cache so that they are built once, and the references by which the manifests name them.
package recorded
