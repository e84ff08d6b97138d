// Package lock reads and writes images.lock, the list of built images in the image builder's output folder.
//
// Input: names, digests and files of built images. Output: a sorted JSON file in the folder of the archives. The local
// cluster reads it to load images, and release builds read it to pin digests.
package lock
