// Package rootfs describes the files of an image layer and writes them as a tar archive.
//
// Flows in: files from memory, from Debian packages and from compiled programs. Flows out: a tar stream that is the
// same byte for byte whenever the files are the same, whatever the order they were added in and whenever it is written.
package rootfs
