// Package lock reads and writes images.lock, the list of images that a run of the image builder left in its output
// folder.
//
// Flows in: names, digests and files of built images. Flows out: a sorted JSON file beside the archives, which the
// local cluster reads to load them and release builds read to pin digests.
package lock
