// Package rootfs describes the files of an image layer and writes them as a tar archive.
//
// Input: files from memory, from Debian packages and from compiled programs. Output: a tar stream. Equal files give
// equal bytes, independent of the order in which they were added and of the time.
package rootfs
