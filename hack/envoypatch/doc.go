// Command envoypatch moves the sidecars of this checkout to a patch release of Envoy.
//
// Input: a version. Output: the pinned hashes of the release in hack/images/fetch/envoy.json, the image of the sidecar, and the commands that roll it
// out. The release is pinned only if the golden configurations are valid for it, and if it takes over from the present release in a running pod, and
// back.
//
//	go run ./envoypatch 1.40.1
package main
