// Package imagelist reads the list of images that the image builder writes.
//
// The file flows in; references with digests flow out.
package imagelist
