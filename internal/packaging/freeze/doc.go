// Command freeze records a version of the control plane: a copy of the current manifests with image digests, and their commit.
//
// A version, a commit and the image list of the image builder flow in. A new folder of manifests flows out, which the next build of the
// operator embeds. An existing folder is never overwritten.
//
//	go run ./internal/packaging/freeze -version v0.1.0 -commit HASH -images bin/images/images.lock
package main
