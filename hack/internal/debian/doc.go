// Package debian installs the Debian packages that the local cluster needs.
//
// Input: package names. Output: installed packages. If none is missing, nothing is done and no network is used.
package debian
